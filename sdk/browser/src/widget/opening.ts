/** The event for a notification, or an action of it, that a reader opens. */

import type { Inbox, Item } from "../client/types.js";

/** A reader opened a notification or one of its actions. Cancel the event to keep its link from being followed. */
export interface OpenDetail {
  readonly item: Item;
  /** The id of the action; undefined for the notification itself. */
  readonly action: string | undefined;
  /**
   * Shows the pressed control as busy until the promise settles. A busy control takes no further press. Call it while
   * the event is dispatched. The action counts as used unless the promise rejects.
   */
  waitUntil(promise: PromiseLike<unknown>): void;
}

/** The popover of a bell was opened or closed. */
export interface ToggleDetail {
  readonly open: boolean;
}

/**
 * Marks an item as read unless it is from the history, dispatches `tidings-open` on `host`, and uses the action. If the page cancels the event, the
 * link is not followed. For a link that opens in another tab or window, by a key or the middle button, no event is
 * dispatched. The second click of a double click does nothing, nor does a press beside a busy control. Returns a promise
 * while the control is busy. `failed` gets the error of an action that could not be used.
 */
export function opened(
  host: HTMLElement,
  client: Inbox,
  item: Item,
  event: MouseEvent,
  failed: (error: unknown) => unknown,
  action?: string,
): Promise<unknown> | undefined {
  const control = event.currentTarget as HTMLElement;
  if (control.parentElement?.querySelector("[aria-busy]") || event.detail > 1) {
    event.preventDefault();
    return undefined;
  }
  const { id } = item.notification;
  if (!item.read_at && !item.archived_copy) client.mark("read", { ids: [id] }).catch(() => undefined);
  const use = () => action && !item.action && client.act(id, action).catch(failed);
  const waits: PromiseLike<unknown>[] = [];
  if (opensBeside(event)) use();
  else {
    const detail: OpenDetail = { item, action, waitUntil: (promise) => void waits.push(promise) };
    const report = new CustomEvent("tidings-open", {
      detail,
      bubbles: true,
      composed: true,
      cancelable: true,
    });
    if (!host.dispatchEvent(report)) event.preventDefault();
    if (action || waits.length) {
      control.ariaBusy = "true";
      // Without a promise of the page this runs before the browser follows the link.
      return Promise.all(waits)
        .then(use, () => 0)
        .then(() => {
          control.ariaBusy = null;
        });
    }
  }
  return undefined;
}

/** Whether a click on a link opens another tab or window. */
export function opensBeside(event: MouseEvent): boolean {
  const { button, metaKey, ctrlKey, shiftKey, altKey, currentTarget } = event;
  const special = button > 0 || metaKey || ctrlKey || shiftKey || altKey;
  return special && (currentTarget as Element).matches("a");
}
