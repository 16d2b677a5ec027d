/** Client and widget in one script, as the global `tidings`. Loading it defines the widget's elements. */

import { Tidings, TidingsError } from "./client/index.js";
import { TidingsInbox, TidingsToasts } from "./widget/index.js";

// Exports would bring the bundler's code for them.
Object.assign(globalThis, { tidings: { Tidings, TidingsError, TidingsInbox, TidingsToasts } });
