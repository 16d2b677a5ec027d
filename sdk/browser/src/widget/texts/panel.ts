/** The texts in English that load together with the panel. The build runs this module and ships only its value. */

import type { PackedTexts } from "../texts-types.js";
import { en } from "./en.js";
import { PANEL } from "./keys.js";
import { pack } from "./packing.js";

export const texts: PackedTexts = pack({ en }, PANEL);
