/** The parts of the page that a panel uses. */

import type { Inbox } from "../client/types.js";
import type { Extras } from "./extras.js";
import type { Localizer } from "./localizer.js";

export interface PanelOptions {
  readonly client: Inbox;
  readonly localizer: Localizer;
  /** The element that dispatches events. */
  readonly host: HTMLElement;
  /** The box that the panel fills. */
  readonly shell: HTMLElement;
  /** Closes the popover; undefined for a panel in place. */
  readonly close: (() => void) | undefined;
  /** The additions of the page to the list. */
  readonly extras: Extras | undefined;
}
