/**
 * Makes the custom elements manifest (schema 2.1.0) from the JSDoc of the elements: editors and catalogs of
 * components read it. An element has its own tags and those of the class that both elements extend.
 */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const WIDGET = join(dirname(fileURLToPath(import.meta.url)), "../src/widget");
/** The module that a page imports. */
const MODULE = "dist/widget.mjs";

const CLASS = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport (?:abstract )?class (\w+) extends \w+/;
const MEMBER =
  /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2}(?:get (\w+)\(\): ([^{]+)|(static )?(\w+)\(([^)]*)\): (\w+)) \{/g;
const TAG = /^@(\w+)(?: \{([^}]*)\})?(?: \[?([\w-]+)(?:=([^\]]*)\])?)?(?: - (.*))?$/;

/** The text of a comment before its first tag, and its tags. */
function parse(comment) {
  const text = comment.replace(/\n? *\* ?/g, (star) => (star.includes("\n") ? "\n" : "")).trim();
  const [description = "", ...tags] = text.split(/\n+(?=@)/);
  return {
    description: flow(description),
    tags: tags.map((tag) => {
      const [, kind, type, name, value, about] = TAG.exec(flow(tag)) ?? [];
      if (!kind || !name) throw new Error(`This tag has another form than "@tag {type} name - text": ${tag}`);
      return { kind, type, name, default: value, description: about };
    }),
  };
}

function flow(text) {
  return text.replace(/\s+/g, " ").trim();
}

/** The public members that have a comment: properties with a getter, and methods. */
function membersOf(source) {
  return [...source.matchAll(MEMBER)].map(([, comment, property, type, isStatic, method, list, returned]) => {
    const { description } = parse(comment);
    if (property) return { kind: "field", name: property, description, type: { text: type } };
    const parameters = flow(list)
      .split(/, ?/)
      .map((one) => /^(\w+): ([^=]+?)(?: = (.+))?,?$/.exec(one))
      .filter((found) => found && found[1] !== "this")
      .map(([, name, text, value]) => ({
        name,
        type: { text },
        ...(value && { default: value, optional: true }),
      }));
    return {
      kind: "method",
      name: method,
      description,
      ...(isStatic && { static: true }),
      ...(parameters.length && { parameters }),
      return: { type: { text: returned } },
    };
  });
}

async function declarationOf(file) {
  const source = await readFile(join(WIDGET, file), "utf8");
  const [, comment, name] = CLASS.exec(source) ?? [];
  if (!name) throw new Error(`${file} has no exported class with a comment before it.`);
  const { description, tags } = parse(comment);
  const of = (kind) => tags.filter((tag) => tag.kind === kind);
  const plain = (kind) => of(kind).map(({ name, description }) => ({ name, description }));
  const typed = (kind) =>
    of(kind).map(({ name, type, description }) => ({ name, type: { text: type }, description }));
  return {
    tagName: of("customElement")[0]?.name,
    name,
    description,
    attributes: typed("attribute"),
    events: typed("event"),
    slots: plain("slot"),
    cssParts: plain("csspart"),
    cssProperties: of("cssproperty").map(({ name, default: value, description }) => ({
      name,
      ...(value && { default: value }),
      description,
    })),
    members: membersOf(source),
  };
}

/** The manifest. */
export async function manifest() {
  const shared = await declarationOf("element.ts");
  const own = await Promise.all(["inbox.ts", "toasts.ts"].map(declarationOf));
  const declarations = own.map(({ tagName, name, description, slots, cssParts, ...rest }) => ({
    kind: "class",
    name,
    customElement: true,
    tagName,
    description,
    superclass: { name: "HTMLElement", package: "global:" },
    attributes: [...shared.attributes, ...rest.attributes],
    events: [...shared.events, ...rest.events],
    slots,
    cssParts,
    cssProperties: [...shared.cssProperties, ...rest.cssProperties],
    members: [...shared.members, ...rest.members],
  }));
  return {
    schemaVersion: "2.1.0",
    modules: [
      {
        kind: "javascript-module",
        path: MODULE,
        description: "Importing this module defines the elements.",
        declarations,
        exports: declarations.flatMap(({ name, tagName }) => [
          { kind: "js", name, declaration: { name, module: MODULE } },
          { kind: "custom-element-definition", name: tagName, declaration: { name, module: MODULE } },
        ]),
      },
    ],
  };
}
