/** `<tidings-toasts>`: shows new notifications for a moment, in a corner of the window. */

import type { Inbox, Item } from "../client/types.js";
import { h } from "./dom.js";
import { TidingsElement } from "./element.js";
import { bells, isListInSight, watchLists } from "./layers.js";
import { hasLeft } from "./leaving.js";
import { loadStack } from "./load.js";
import { first, Speaker } from "./speaker.js";
import type { Stack } from "./stack.js";

/**
 * New notifications as toasts in a corner of the window.
 *
 * @customElement tidings-toasts
 *
 * @attribute {"top"} position - `top` shows the toasts at the upper edge of the window.
 * @attribute {boolean} sound - Plays a short sound for a new notification, on one tab of the user.
 *
 * @csspart stack - The box around the toasts.
 * @csspart toast - A toast.
 * @csspart urgent - A toast of an urgent notification.
 * @csspart icon - The picture of a notification.
 * @csspart item-title - The title of a notification.
 * @csspart item-body - The text of a notification.
 * @csspart action - A notification's own action.
 * @csspart tool - A button that is an icon.
 * @csspart close - The button that closes a toast.
 *
 * @cssproperty [--tidings-toast-edge=16px] - The space between toasts and the edge of the window.
 */
export class TidingsToasts extends TidingsElement {
  static readonly observedAttributes = [...TidingsElement.shared, "sound"];
  declare position: string;

  static {
    TidingsToasts.reflect(["position"], []);
  }

  protected override begin(client: Inbox): void {
    const box = h("div", {
      class: "stack",
      part: "stack",
      role: "region",
      "aria-label": this.text("title"),
      lang: this.language,
      dir: this.direction,
      popover: "manual",
    });
    const speaker = new Speaker(this);
    this.root.append(box, speaker.element);
    this.until(() => speaker.cancel());
    let stack: Promise<Stack> | undefined;
    const ready = () => {
      stack ??= loadStack().then(({ Stack }) => {
        this.adopt(Stack.css);
        return new Stack({
          box,
          client,
          host: this,
          localizer: this,
          bells,
          top: () => this.position === "top",
        });
      });
      // The next notification tries the load again. This one shows only in the inbox.
      stack.catch(() => {
        stack = undefined;
      });
      return stack;
    };
    const show = (item: Item) => {
      const { priority, id } = item.notification;
      if (priority === "low" || !first("toast", id)) return;
      speaker.announce(item);
      if (isListInSight()) return;
      ready().then(
        (made) => box.isConnected && made.show(item),
        () => undefined,
      );
    };
    const update = (run: (made: Stack) => void) => {
      stack?.then(run, () => undefined);
    };
    this.until(client.on("notification", ({ item, replayed }) => replayed || show(item)));
    // A notification that was read, archived or recalled elsewhere is not new.
    this.until(
      client.on("state", ({ items }) => {
        for (const item of items)
          if (item.read_at !== null || item.archived_at !== null)
            update((made) => made.read(item.notification.id));
      }),
    );
    this.until(client.on("recalled", ({ id }) => update((made) => made.remove(id))));
    this.until(
      client.on("status", (change) => {
        if (!hasLeft(change)) return;
        speaker.cancel();
        update((made) => made.clear());
      }),
    );
    this.until(watchLists(() => update((made) => made.clear())));
    this.until(() => update((made) => made.end()));
    if (this.sound) this.alert("soundFor", client);
  }
}
