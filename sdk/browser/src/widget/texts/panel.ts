/** The texts in English that load together with the panel. The build runs this module and ships only its value. */

import type { PackedTexts } from "../texts-types.js";
import { en } from "./en.js";
import { PANEL } from "./keys.js";
import { flatten, pack } from "./packing.js";

const known = flatten(en);

/** Without the plural forms that English does not have. */
export const texts: PackedTexts = pack(
  { en },
  PANEL.filter((key) => known[key]),
);
