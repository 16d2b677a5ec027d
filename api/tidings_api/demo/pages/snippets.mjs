// The code to paste: tabs by framework, colours, a button to copy, and the requests that send the form's content.

import { highlight } from "./highlight.mjs";
import { connectTabs } from "./tabs.mjs";

const TOKEN_SHOWN = 12;

for (const card of document.querySelectorAll(".snippet")) {
  connectTabs(card);
  const button = card.querySelector(".copy");
  const say = (word) => {
    button.textContent = word;
  };
  let timer = 0;
  button.addEventListener("click", async () => {
    clearTimeout(timer);
    say("Copy");
    const code = card.querySelector('[role="tabpanel"]:not([hidden]) code');
    await navigator.clipboard.writeText(code.textContent);
    say("Copied");
    timer = setTimeout(say, 1500, "Copy");
  });
}

for (const code of document.querySelectorAll(".snippet code[data-language]"))
  highlight(code, code.textContent, code.dataset.language);

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The ways to send a notification. `secret` is the token. */
const COMMANDS = {
  curl: (api, notification, secret) =>
    [
      `curl ${api}/v1/notifications`,
      `  -H 'Authorization: Bearer ${secret}'`,
      "  -H 'Content-Type: application/json'",
      `  -d ${quoted(JSON.stringify(notification, null, 2))}`,
    ].join(" \\\n"),
  python: (api, { to, ...content }, secret) => {
    const target = Object.entries(to).map(([name, value]) => [`to_${name}`, value]);
    const fields = [...target, ...Object.entries(content)].map(
      ([name, value]) => `        ${name}=${value === true ? "True" : JSON.stringify(value)},`,
    );
    return [
      "from tidings import Tidings",
      "",
      `with Tidings("${api}", token="${secret}") as tidings:`,
      "    tidings.send(",
      ...fields,
      "    )",
    ].join("\n");
  },
  javascript: (api, notification, secret) =>
    [
      `await fetch("${api}/v1/notifications", {`,
      '  method: "POST",',
      "  headers: {",
      `    Authorization: "Bearer ${secret}",`,
      '    "Content-Type": "application/json",',
      "  },",
      `  body: JSON.stringify(${JSON.stringify(notification, null, 2).replaceAll("\n", "\n  ")}),`,
      "});",
    ].join("\n"),
};

/**
 * Shows how to send this from a program.
 * @param {string} api
 * @param {string} token
 * @param {object} notification
 */
export function showCommands(api, token, notification) {
  for (const [name, command] of Object.entries(COMMANDS)) {
    const code = document.getElementById(`snippet-${name}`);
    highlight(code, command(api, notification, token), name === "curl" ? "shell" : name);
    shorten(code, token);
  }
}

/** Shows only the beginning of the token. Its text remains whole, for a reader who selects and copies the code. */
function shorten(code, token) {
  const part = [...code.querySelectorAll(".text")].find(({ textContent }) => textContent.includes(token));
  const [text] = part?.childNodes ?? [];
  if (!token || !text) return;
  const end = text.splitText(text.data.indexOf(token) + TOKEN_SHOWN);
  end.splitText(token.length - TOKEN_SHOWN);
  const rest = document.createElement("span");
  rest.className = "rest";
  end.replaceWith(rest);
  rest.append(end);
}
