/** The texts of a module that has its own, in the language of an element. */

import type { Localizer } from "./localizer.js";
import type { MessageKey, PackedTexts } from "./texts-types.js";

/** The page's own text for a key, or that of the element's language, or the English one. */
export function packedText(host: Localizer, { keys, lines }: PackedTexts, key: MessageKey): string {
  const { [host.language.slice(0, 2).toLowerCase()]: own, en = "" } = lines;
  return host.text(key) || ((own ?? en).split("|")[keys.indexOf(key)] ?? "");
}
