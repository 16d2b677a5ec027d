/** The name of the tab of snoozed notifications, in all languages. The build ships only its value. */

import type { PackedTexts } from "../texts-types.js";
import { LANGUAGES } from "./languages.js";
import { pack } from "./packing.js";

export const texts: PackedTexts["lines"] = pack(LANGUAGES, ["snoozed"]).lines;
