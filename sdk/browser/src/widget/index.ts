/** The widget. Importing this module defines `<tidings-inbox>` and `<tidings-toasts>`. */

import { TidingsInbox } from "./inbox.js";
import type { OpenDetail, ToggleDetail } from "./opening.js";
import { TidingsToasts } from "./toasts.js";

export type { TidingsElement } from "./element.js";
export type { RenderItem, TabOption } from "./extras.js";
export type { OpenDetail, ToggleDetail } from "./opening.js";
export type { Filter, Snapshot } from "./snapshot.js";
export type { MessageKey, Messages } from "./texts-types.js";
export { TidingsInbox, TidingsToasts };

declare global {
  interface HTMLElementEventMap {
    "tidings-open": CustomEvent<OpenDetail>;
    "tidings-toggle": CustomEvent<ToggleDetail>;
  }
  interface DocumentEventMap {
    "tidings-open": CustomEvent<OpenDetail>;
    "tidings-toggle": CustomEvent<ToggleDetail>;
  }
  interface HTMLElementTagNameMap {
    "tidings-inbox": TidingsInbox;
    "tidings-toasts": TidingsToasts;
  }
}

// A page may load the widget twice, as a module and as a script: the definitions of the first one stay. On a
// server there is no registry, and nothing is defined.
TidingsToasts.define("tidings-toasts");
TidingsInbox.define("tidings-inbox");
