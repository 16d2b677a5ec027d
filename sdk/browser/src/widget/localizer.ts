/** The language of an element. */

import type { MessageKey } from "./texts-types.js";

/** The language of an element, for the parts inside it. */
export interface Localizer {
  readonly language: string;
  readonly direction: "ltr" | "rtl";
  /** The text of the first key that has one. The page's own texts take precedence over those of the language. */
  text(...keys: MessageKey[]): string;
}
