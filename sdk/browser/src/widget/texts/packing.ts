/** Packs texts for the bundles: each key is written once instead of once per language. */

import type { Forms, MessageKey, Messages, PackedTexts, Texts } from "../texts-types.js";

/** The texts of one language by the keys of the property `messages`. */
export function flatten({ missed, fresh, ...rest }: Texts): Partial<Messages> {
  const { unknown, ...forms } = missed;
  return { ...rest, missed: unknown, ...named("missed", forms), ...named("fresh", fresh) };
}

function named(key: string, forms: Forms): Partial<Messages> {
  return Object.fromEntries(Object.entries(forms).map(([form, text]) => [`${key}_${form}`, text]));
}

/** The texts of `keys`. A text that a language does not have is empty. */
export function pack(languages: Readonly<Record<string, Texts>>, keys: readonly MessageKey[]): PackedTexts {
  const line = (texts: Texts) => {
    const flat = flatten(texts);
    return keys
      .map((key) => flat[key] ?? "")
      .join("|")
      .replace(/\|+$/, "");
  };
  return {
    keys,
    lines: Object.fromEntries(Object.entries(languages).map(([name, texts]) => [name, line(texts)])),
  };
}
