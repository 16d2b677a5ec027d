/**
 * A small part of Markdown: `**bold**`, `*italic*` or `_italic_`, `` `code` `` and `[text](link)`. It becomes elements
 * and text nodes, so that nothing in a notification can be HTML.
 */

import { h } from "./dom.js";
import { safeLink } from "./text.js";

/** An escaped mark, code, a link, or a mark of emphasis. */
const TOKENS = /(\\[\\`*_[\]()]|`[^`\n]+`|\[[^[\]\n]+\]\([^()\s]+\)|\*\*|\*|_)/;
const TAGS = { "**": "strong", "*": "em", _: "em" } as const;

/** The number of marks that one text may have. Those after them are text: their elements would take too long. */
const MARKS = 500;

type Mark = keyof typeof TAGS;

/** An element whose end has not been read yet; the first one is the text itself. */
interface Open {
  readonly mark: Mark | "";
  readonly children: (Node | string)[];
}

/** The content of an element for a text. A mark without its counterpart is text; so is a link that is not allowed. */
export function markup(text: string): (Node | string)[] {
  const whole: Open = { mark: "", children: [] };
  // Each mark is open once at most.
  const open: Open[] = [whole];
  const add = (child: Node | string) => (open.at(-1) as Open).children.push(child);
  /** Ends the last element without its mark. */
  const dissolve = () => {
    const { mark, children } = open.pop() as Open;
    for (const child of [mark, ...children]) add(child);
  };
  const parts = text.split(TOKENS);
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 0 || index > 2 * MARKS) add(part);
    else if (part.startsWith("\\")) add(part.slice(1));
    else if (part.startsWith("`")) add(h("code", {}, part.slice(1, -1)));
    else if (part.startsWith("[")) add(linkOf(part) ?? part);
    else {
      const mark = part as Mark;
      const before = parts[index - 1]?.at(-1) ?? parts[index - 2]?.at(-1) ?? " ";
      const after = parts[index + 1]?.[0] ?? parts[index + 2]?.[0] ?? " ";
      const isOpen = open.some((each) => each.mark === mark);
      const isEmpty = open.at(-1)?.mark === mark && !open.at(-1)?.children.some((child) => child !== "");
      if (isOpen && !isEmpty && !isSpace(before) && !(mark === "_" && isWord(after))) {
        while (open.at(-1)?.mark !== mark) dissolve();
        const { children } = open.pop() as Open;
        add(h(TAGS[mark], {}, ...children));
      } else if (!isOpen && !isSpace(after) && !(mark === "_" && isWord(before)))
        open.push({ mark, children: [] });
      else add(part);
    }
  }
  while (open.length > 1) dissolve();
  return whole.children.filter((child) => child !== "");
}

function linkOf(part: string): Node | undefined {
  const [, label = "", address] = /^\[(.*)\]\((.*)\)$/.exec(part) ?? [];
  const href = safeLink(address);
  // The label has no brackets, so it has no link.
  if (!href) return undefined;
  return h("a", { href, rel: "noopener", title: href }, ...markup(label));
}

function isSpace(character: string): boolean {
  return /\s/.test(character);
}

function isWord(character: string): boolean {
  return /[\p{L}\p{N}]/u.test(character);
}
