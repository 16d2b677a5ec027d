/** The same texts in the other languages. The build runs this module and ships only its value. */

import type { PackedTexts } from "../texts-types.js";
import { PANEL } from "./keys.js";
import { LANGUAGES } from "./languages.js";
import { pack } from "./packing.js";

const { en: _, ...others } = LANGUAGES;

export const texts: PackedTexts = pack(others, PANEL);
