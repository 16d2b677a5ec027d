// Search, buttons to copy, tabs by language, this server's address in the code, and a form that tries an operation.

const made = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const API = location.href.replace(/\/docs.*$/, "");
let token = "";

const search = document.getElementById("search");
const links = [...document.querySelectorAll("nav li")];
search.hidden = false;
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/);
  for (const line of links) {
    const text = `${line.textContent} ${line.dataset.words}`.toLowerCase();
    line.hidden = !words.every((word) => text.includes(word));
  }
  for (const group of document.querySelectorAll("nav .group"))
    group.hidden = !group.querySelector("li:not([hidden])");
});
search.addEventListener("keydown", ({ key }) => {
  if (key === "Enter")
    links
      .find(({ hidden }) => !hidden)
      ?.querySelector("a")
      .click();
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, textarea")) return;
  event.preventDefault();
  search.focus();
});

for (const code of document.querySelectorAll("main pre")) {
  const text = code.textContent.replaceAll("https://the.address.of.this.server", API);
  if (text !== code.textContent) code.textContent = text;
  const box = made("div", { className: "code" });
  code.replaceWith(box);
  const copy = made("button", { type: "button", textContent: "Copy" });
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = "Copied";
    setTimeout(() => {
      copy.textContent = "Copy";
    }, 1500);
  });
  box.append(code, copy);
}

const LANGUAGE = "tidings-docs-language";
const groups = [...document.querySelectorAll(".samples")].map(tabbed);
if (groups.length) chooseLanguage(remembered());

/** Turns the boxes of an operation's code into tabs. Returns the tabs by language, with their panels. */
function tabbed(around) {
  const line = made("div", { role: "tablist", ariaLabel: around.dataset.label });
  const tabs = new Map();
  for (const box of around.querySelectorAll("details")) {
    const language = box.firstElementChild.textContent;
    const panel = made(
      "div",
      { role: "tabpanel", id: `${box.name}-${language}` },
      ...[...box.children].slice(1),
    );
    const tab = made("button", { type: "button", role: "tab", id: `${panel.id}-tab`, textContent: language });
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => keepingPlace(tab, () => chooseLanguage(language)));
    line.append(tab);
    box.replaceWith(panel);
    tabs.set(language, { tab, panel });
  }
  line.addEventListener("keydown", (event) => {
    const all = [...tabs.values()];
    const at = all.findIndex(({ tab }) => tab === document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    const { tab } = all.at(next % all.length);
    tab.focus({ preventScroll: true });
    tab.click();
  });
  around.prepend(line);
  around.classList.add("ready");
  return tabs;
}

/** Shows one language in all operations. */
function chooseLanguage(chosen) {
  for (const tabs of groups)
    for (const [language, { tab, panel }] of tabs) {
      const isChosen = language === chosen;
      tab.ariaSelected = String(isChosen);
      tab.tabIndex = isChosen ? 0 : -1;
      panel.hidden = !isChosen;
    }
  try {
    localStorage.setItem(LANGUAGE, chosen);
  } catch {
    // The browser stores nothing for this page: the choice ends with it.
  }
}

/** The language of the last visit, else the first one. */
function remembered() {
  const known = [...groups[0].keys()];
  try {
    const stored = localStorage.getItem(LANGUAGE);
    if (known.includes(stored)) return stored;
  } catch {
    // As above.
  }
  return known[0];
}

/** Keeps an element in its place of the window while the code above it changes its height. */
function keepingPlace(element, change) {
  const before = element.getBoundingClientRect().top;
  change();
  scrollBy({ top: element.getBoundingClientRect().top - before, behavior: "instant" });
}

for (const section of document.querySelectorAll("section[data-method]")) {
  const form = made("form");
  const details = made("details", { className: "try" }, made("summary", { textContent: "Try it" }), form);
  details.addEventListener("toggle", () => build(form, section), { once: true });
  section.append(details);
}

/** Fills the form of an operation, which sends it to this server. */
function build(form, { dataset: { method, path, body } }) {
  const field = (label, element) => {
    form.append(made("label", {}, label, element));
    return element;
  };
  const bearer = field("Token", made("input", { value: token, autocomplete: "off", spellcheck: false }));
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const parts = names.map((name) => [
    name,
    field(name, made("input", { required: true, autocomplete: "off" })),
  ]);
  const query = method === "GET" ? field("Query", made("input", { placeholder: "limit=10" })) : undefined;
  const content =
    body === undefined ? undefined : field("Body", made("textarea", { value: body, spellcheck: false }));
  const result = made("pre", { hidden: true, tabIndex: 0, ariaLive: "polite" });
  form.append(made("button", { textContent: "Send" }), result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    token = bearer.value.trim();
    let address = API + path;
    for (const [name, input] of parts)
      address = address.replace(`{${name}}`, encodeURIComponent(input.value));
    if (query?.value) address += `?${query.value.replace(/^\?/, "")}`;
    result.hidden = false;
    try {
      const answer = await fetch(address, {
        method,
        headers: {
          ...(token && { Authorization: `Bearer ${token}` }),
          ...(content && { "Content-Type": "application/json" }),
        },
        body: content?.value,
      });
      const text = await answer.text();
      const isJson = answer.headers.get("content-type")?.includes("json");
      const shown = isJson ? JSON.stringify(JSON.parse(text), null, 2) : text;
      result.textContent = `${answer.status} ${answer.statusText}\n${shown}`;
    } catch (error) {
      result.textContent = String(error);
    }
  });
}
