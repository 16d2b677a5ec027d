// @vitest-environment happy-dom
/** Markdown in the text of a notification: allowed marks and links become elements, everything else stays text. */

import { expect, test } from "vitest";
import { markup } from "../../src/widget/markup.js";
import { initialsOf } from "../../src/widget/row-pictures.js";

/** The HTML that a text becomes, as a browser writes it. */
function html(text: string): string {
  const box = document.createElement("p");
  box.append(...markup(text));
  return box.innerHTML;
}

test.each([
  ["**bold** and *italic* and _italic_", "<strong>bold</strong> and <em>italic</em> and <em>italic</em>"],
  ["**bold with *italic* in it**", "<strong>bold with <em>italic</em> in it</strong>"],
  ["`a < b` and `**as is**`", "<code>a &lt; b</code> and <code>**as is**</code>"],
  [
    "[the **log**](/deploys/412?a=1&b=2)",
    '<a href="/deploys/412?a=1&amp;b=2" rel="noopener" title="/deploys/412?a=1&amp;b=2">the <strong>log</strong></a>',
  ],
  [
    "**[#7](https://code.example/7)**",
    '<strong><a href="https://code.example/7" rel="noopener" title="https://code.example/7">#7</a></strong>',
  ],
  ["\\*not italic\\* and \\[no](link)", "*not italic* and [no](link)"],
  ["two\nlines", "two\nlines"],
])("%s", (text, expected) => {
  expect(html(text)).toBe(expected);
});

test.each([
  "2 * 3 * 4",
  "snake_case_name",
  "**no end",
  "no start**",
  "a `lonely backtick",
  "** spaced **",
  "****",
  "[no link]",
  "[two words](not a link)",
  "[a [b](c",
  "👩‍👩‍👧‍👦 *",
])("Text stays text: %s", (text) => {
  expect(html(text)).toBe(text);
});

/** Texts of an attacker. None may become an element beside those that are allowed, or a link outside the contract. */
const HOSTILE = [
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert)",
  "[x](data:text/html,<script>1</script>)",
  "[x](vbscript:x)",
  "[x](//evil.example)",
  "[x](/\\evil.example)",
  "[x](\u0001javascript:alert)",
  "[x](java\tscript:alert)",
  "[x](file:///etc/passwd)",
  "[<img src=x onerror=alert(1)>](x)",
  "<script>alert(1)</script>",
  "**<b onclick=alert(1)>**",
  "`</code><script>`",
  "[](/empty)",
  "[[nested](/a)](/b)",
  "![image](https://evil.example/pixel.png)",
  '[x](/a"onclick="alert)',
  "<https://evil.example>",
  "*_`**[",
];

test.each(HOSTILE)("Nothing of it runs or loads: %s", (text) => {
  const box = document.createElement("p");
  box.append(...markup(text));
  for (const element of box.querySelectorAll("*")) {
    expect(["STRONG", "EM", "CODE", "A"]).toContain(element.tagName);
    for (const name of element.getAttributeNames()) expect(["href", "rel", "title"]).toContain(name);
    expect(element.getAttribute("href") ?? "/").toMatch(/^(https?:\/\/|mailto:|\/(?![/\\]))/);
  }
  // No character is lost but the marks.
  expect(box.textContent?.replace(/[\\*_`[\]()]/g, "")).toContain(text.split(/[\\*_`[\]()]/)[0]);
});

test.each(["**", "*a_", "`b`", "[a](/b)", "[", "\\"])(
  "The longest text of nothing but %s makes a bounded number of elements, and loses no text.",
  (mark) => {
    const text = mark.repeat(20_000 / mark.length);
    const box = document.createElement("p");
    box.append(...markup(text));
    expect(box.querySelectorAll("*").length).toBeLessThanOrEqual(500);
    expect(box.textContent?.length).toBeGreaterThan(text.length / 2);
  },
);

test.each([
  ["Ana Lee", "AL"],
  ["ana", "a"],
  ["Maria de la Cruz", "MC"],
  ["  “Quoted” (twice) ", "Qt"],
  ["山田 太郎", "山太"],
  ["4711", "4"],
  ["👋", ""],
  ["\u202eevil", "e"],
])("The initials of %s are %s.", (name, expected) => {
  expect(initialsOf(name).join("")).toBe(expected);
});
