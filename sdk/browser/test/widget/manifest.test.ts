// @vitest-environment jsdom
/** The custom elements manifest beside the elements themselves and beside docs/browser.md. */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CustomElementDeclaration } from "custom-elements-manifest";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { manifest } from "../../scripts/manifest.mjs";
import type { Item } from "../../src/client/types.js";
import type { TidingsElement, TidingsInbox } from "../../src/widget/index.js";
import { soon } from "../support/soon.js";
import "../../src/widget/index.js";
import { FakeInbox, notification } from "./fake.js";

const PACKAGE = join(import.meta.dirname, "../..");
const names = (all: readonly { readonly name: string }[] = []) => all.map(({ name }) => name).sort();
const unique = (all: Iterable<string>) => [...new Set(all)].sort();

let inbox: CustomElementDeclaration;
let toasts: CustomElementDeclaration;
let guide: string;

beforeAll(async () => {
  const [module] = (await manifest()).modules;
  [inbox, toasts] = module.declarations as [CustomElementDeclaration, CustomElementDeclaration];
  guide = await readFile(join(PACKAGE, "../../docs/browser.md"), "utf8");
});

/** The names that an element used in all states of a test. */
interface Seen {
  readonly parts: Set<string>;
  readonly slots: Set<string>;
  readonly attributes: Set<string>;
  readonly events: Set<string>;
}

/** Puts an element into the page, and notes the attributes that it reads and the events that it dispatches. */
function put(
  tag: "tidings-inbox" | "tidings-toasts",
  client: FakeInbox,
  seen: Seen,
  toggles = "",
): TidingsElement {
  const element = document.createElement(tag);
  element.client = client;
  for (const name of toggles.split(" ").filter(Boolean)) element.setAttribute(name, "");
  for (const method of ["getAttribute", "hasAttribute"] as const) {
    const original = element[method].bind(element);
    Object.assign(element, {
      [method]: (name: string) => {
        seen.attributes.add(name);
        return original(name);
      },
    });
  }
  const dispatch = element.dispatchEvent.bind(element);
  element.dispatchEvent = (event) => {
    seen.events.add(event.type);
    return dispatch(event);
  };
  document.body.append(element);
  return element;
}

/** Notes the parts and slots that an element has now, and the parts that it exports from elements inside it. */
function look({ root }: TidingsElement, seen: Seen): void {
  for (const each of root.querySelectorAll("[part]"))
    for (const name of each.getAttribute("part")?.split(" ") ?? []) seen.parts.add(name);
  // The slots of rows have the ids of their notifications.
  for (const slot of root.querySelectorAll("slot:not([part=own])"))
    seen.slots.add((slot as HTMLSlotElement).name);
  for (const inner of root.querySelectorAll<TidingsElement>("[exportparts]"))
    for (const name of inner.getAttribute("exportparts")?.split(", ") ?? [])
      if (inner.root.querySelector(`[part~="${name}"]`)) seen.parts.add(name);
}

const nothing = (): Seen => ({
  parts: new Set(),
  slots: new Set(),
  attributes: new Set(),
  events: new Set(),
});
const full = () =>
  notification(1, {
    title: "Your parcel is on its way",
    body: "It arrives tomorrow.",
    category: "orders",
    priority: "urgent",
    actions: [{ id: "track", label: "Track" }],
  });
const press = (element: TidingsElement, selector: string) =>
  element.root.querySelector<HTMLElement>(selector)?.click();

const css = async (...sheets: string[]) =>
  (await Promise.all(sheets.map((name) => readFile(join(PACKAGE, `src/widget/${name}.css`), "utf8")))).join(
    "\n",
  );

/** The attributes that style sheets select the host by, without `hidden`, which all elements have. */
async function styledBy(...sheets: string[]): Promise<string[]> {
  const found = (await css(...sheets)).matchAll(/:host\(\[([\w-]+)/g);
  return [...found].map(([, name = ""]) => name).filter((name) => name !== "hidden");
}

afterEach(() => document.body.replaceChildren());

test("The manifest in the package is what the sources make, and is one by the types of its schema.", async () => {
  const text = await readFile(join(PACKAGE, "custom-elements.json"), "utf8");
  expect(JSON.parse(text)).toEqual(await manifest());

  const folder = await mkdtemp(join(tmpdir(), "tidings-manifest-"));
  try {
    const source = `import type { Package } from "custom-elements-manifest";\nexport const manifest: Package = ${text};`;
    await writeFile(join(folder, "manifest.ts"), source);
    const schema = join(PACKAGE, "node_modules/custom-elements-manifest/schema.d.ts");
    const compilerOptions = { types: [], paths: { "custom-elements-manifest": [schema] } };
    const config = {
      extends: join(PACKAGE, "tsconfig.json"),
      compilerOptions,
      files: ["manifest.ts"],
      include: [],
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = promisify(execFile)(join(PACKAGE, "node_modules/.bin/tsc"), ["--project", folder]);
    await expect(tsc).resolves.toMatchObject({ stdout: "" });
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);

describe("The manifest names all that an element uses, and nothing else:", () => {
  test("the parts, slots, attributes and events of the inbox.", async () => {
    const seen = nothing();
    const client = new FakeInbox([full(), notification(2, { title: "Two" })]);
    client.missed = 3;
    const own = put("tidings-inbox", client, seen) as TidingsInbox;
    own.mode = "page";
    own.renderItem = () => "Text";
    await soon(() => expect(own.root.querySelector("[part=own]")).not.toBeNull());
    look(own, seen);
    own.remove();
    const [one, two] = ["One", "Two"].map((title) => notification(1, { title, group_key: "key" }));
    const grouped = put("tidings-inbox", new FakeInbox([two as Item, one as Item]), seen, "snooze");
    (grouped as TidingsInbox).mode = "page";
    await soon(() => expect(grouped.root.querySelector(".group")).not.toBeNull());
    await soon(() => expect(grouped.root.querySelector(".snooze")).not.toBeNull());
    press(grouped, ".snooze");
    await soon(() => expect(grouped.root.querySelector(".snooze-time")).not.toBeNull());
    look(grouped, seen);
    grouped.remove();
    const element = put("tidings-inbox", client, seen, "toasts sound title-badge") as TidingsInbox;
    await soon(() => expect(element.root.querySelector(".bell")).not.toBeNull());
    element.open();
    await soon(() => expect(element.root.querySelectorAll(".row")).toHaveLength(2));
    client.arrive(full());
    const nested = element.root.querySelector<TidingsElement>("[exportparts]");
    await soon(() => expect(nested?.root.querySelector(".toast")).not.toBeNull());
    look(element, seen);
    press(element, ".action");
    await soon(() => expect(element.root.querySelector(".used")).not.toBeNull());
    press(element, ".open");
    look(element, seen);
    element.open();
    press(element, ".tools .tool:last-child");
    await soon(() => expect(element.root.querySelector(".undo")).not.toBeNull());
    look(element, seen);
    client.become("stopped");
    await soon(() => expect(element.root.querySelector(".again")).not.toBeNull());
    look(element, seen);
    for (const mode of ["answers", "fails"] as const) {
      const other = new FakeInbox([]);
      other.mode = mode;
      const page = put("tidings-inbox", other, seen);
      page.setAttribute("mode", "page");
      const selector = mode === "fails" ? ".retry" : "slot[name=empty]";
      await soon(() => expect(page.root.querySelector(selector)).not.toBeNull());
      look(page, seen);
    }
    const observed = (element.constructor as typeof TidingsInbox).observedAttributes;

    expect(names(inbox.cssParts)).toEqual(unique(seen.parts));
    expect(names(inbox.slots)).toEqual(unique(seen.slots));
    expect(names(inbox.attributes)).toEqual(
      unique([...observed, ...seen.attributes, ...(await styledBy("tokens", "inbox", "panel", "content"))]),
    );
    expect(names(inbox.events)).toEqual(unique(seen.events));
  });

  test("the parts, attributes and events of the toasts.", async () => {
    const seen = nothing();
    const client = new FakeInbox([]);
    const element = put("tidings-toasts", client, seen, "sound");
    await soon(() => expect(client.listeners).toBeGreaterThan(0));
    client.arrive(full());
    await soon(() => expect(element.root.querySelector(".toast")).not.toBeNull());
    look(element, seen);
    press(element, ".action");
    const { observedAttributes: observed } = element.constructor as unknown as {
      observedAttributes: string[];
    };

    expect(names(toasts.cssParts)).toEqual(unique(seen.parts));
    expect(toasts.slots).toEqual([]);
    expect(names(toasts.attributes)).toEqual(
      unique([...observed, ...seen.attributes, ...(await styledBy("tokens", "toasts", "content"))]),
    );
    expect(names(toasts.events)).toEqual(unique(seen.events));
  });

  test.each([
    ["tidings-inbox", () => inbox],
    ["tidings-toasts", () => toasts],
  ] as const)("the properties and methods of %s.", (tag, declaration) => {
    const element = document.createElement(tag);
    const members = declaration().members ?? [];

    for (const member of members) {
      const owner = "static" in member && member.static ? element.constructor : element;
      const value = Reflect.get(owner, member.name);
      if (member.kind === "method") expect(typeof value, member.name).toBe("function");
      else expect(member.name in element, member.name).toBe(true);
    }
    expect(customElements.get(tag)?.name).toBe(declaration().name);
  });

  test("the custom properties of the style sheets, with their defaults.", async () => {
    const ofToasts = await css("tokens", "content", "toasts");
    const all = ofToasts + (await css("inbox", "panel"));
    const used = (text: string) => unique(text.match(/--tidings-[\w-]+/g) ?? []);

    expect(names(toasts.cssProperties)).toEqual(used(ofToasts));
    expect(names(inbox.cssProperties)).toEqual(used(all));
    for (const { name, default: value } of inbox.cssProperties ?? [])
      if (value) expect(all).toContain(`var(${name}, ${value})`);
  });
});

describe("docs/browser.md names the same", () => {
  /** The names in backticks of the first column of a table. */
  const column = (heading: string) => {
    const [, rows = ""] =
      new RegExp(`^\\| ${heading} \\| \\|\\n\\|.*\\n((?:\\|.*\\n)+)`, "m").exec(guide) ?? [];
    const cells = rows.split("\n").map((row) => row.split(" | ")[0] ?? "");
    return unique(cells.flatMap((cell) => [...cell.matchAll(/`([\w-]+)/g)].map(([, name = ""]) => name)));
  };
  const quoted = (text: string) => unique([...text.matchAll(/`([\w-]+)`/g)].map(([, name = ""]) => name));
  const paragraph = (start: string) => guide.slice(guide.indexOf(start)).split("\n\n", 1)[0] ?? "";

  test("attributes.", () => {
    expect(column("attribute")).toEqual(names(inbox.attributes));
    for (const { name } of toasts.attributes ?? []) expect(guide).toMatch(new RegExp(`\`${name}["=\`]`));
  });

  test("properties and methods.", () => {
    const members = (inbox.members ?? []).filter((member) => !("static" in member && member.static));
    expect(column("property, method")).toEqual(names(members));
  });

  test("custom properties.", () => {
    expect(column("property")).toEqual(names(inbox.cssProperties));
  });

  test("parts and slots.", () => {
    const all = unique([...names(inbox.cssParts), ...names(toasts.cssParts)]);
    expect(quoted(paragraph("For everything else there are parts:"))).toEqual(all);
    expect(quoted(paragraph("There are also slots:"))).toEqual(names(inbox.slots));
  });

  test("events.", () => {
    expect(quoted(paragraph("The element sends `tidings-open` when"))).toContain(inbox.events?.[0]?.name);
  });
});
