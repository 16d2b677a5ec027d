/** The languages of the widget. A new language is a file beside this one and a name in the table. */

import type { Texts } from "../texts-types.js";
import { ar } from "./ar.js";
import { de } from "./de.js";
import { en } from "./en.js";
import { es } from "./es.js";
import { fr } from "./fr.js";
import { ja } from "./ja.js";
import { zh } from "./zh.js";

export const LANGUAGES: Readonly<Record<string, Texts>> = { en, de, es, fr, ar, zh, ja };
