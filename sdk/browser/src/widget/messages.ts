/**
 * Finds the text for a key in a language.
 *
 * `Intl` gives days and times, and most numbers follow a colon. Only `missed` and `fresh` have plural forms: their
 * keys end with a category of `Intl.PluralRules`. The sources of the texts are in `texts/`, one file a language.
 */

import { texts as bell } from "./texts/bell.js";
import type { MessageKey, PackedTexts } from "./texts-types.js";

const tables: PackedTexts[] = [bell];

/** Adds texts that were loaded later. */
export function learn(texts: PackedTexts): void {
  if (!tables.includes(texts)) tables.push(texts);
}

/** Whether the widget has texts in the language of a tag. */
export function speaks(language: string): boolean {
  return Object.hasOwn(bell.lines, primary(language));
}

/** The text in the language of a tag, or in English if the widget does not have that language. */
export function textOf(language: string, key: MessageKey): string {
  for (const known of [primary(language), "en"])
    for (const { keys, lines } of tables) {
      const line = keys.includes(key) && Object.hasOwn(lines, known) && lines[known];
      if (line) return line.split("|")[keys.indexOf(key)] ?? "";
    }
  return "";
}

/** Whether a language is written from right to left. */
export function isRightToLeft(language: string): boolean {
  return /^(ar|dv|fa|he|ps|sd|ug|ur|yi)$/.test(primary(language));
}

function primary(language: string): string {
  return language.toLowerCase().split("-", 1)[0] ?? "";
}
