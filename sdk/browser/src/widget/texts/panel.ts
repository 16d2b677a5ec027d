/** The texts that load together with the panel. The build runs this module and ships only its value. */

import type { PackedTexts } from "../texts-types.js";
import { LANGUAGES } from "./languages.js";
import { pack } from "./packing.js";

export const texts: PackedTexts = pack(LANGUAGES, [
  "all",
  "archived",
  "markAll",
  "markRead",
  "markUnread",
  "archive",
  "restore",
  "undo",
  "empty",
  "emptyUnread",
  "emptyArchived",
  "failed",
  "offline",
  "connecting",
  "stopped",
  "missed",
  "loading",
  "urgent",
  "isUnread",
  "isArchived",
  "missed_other",
  "missed_one",
  "missed_two",
  "missed_few",
  "missed_many",
  "missed_zero",
  "fresh_other",
  "fresh_one",
  "fresh_two",
  "fresh_few",
  "fresh_many",
  "fresh_zero",
]);
