/** The texts that every page loads. The build runs this module and ships only its value. */

import type { PackedTexts } from "../texts-types.js";
import { LANGUAGES } from "./languages.js";
import { pack } from "./packing.js";

export const texts: PackedTexts = pack(LANGUAGES, ["title", "unread", "retry", "close", "new"]);
