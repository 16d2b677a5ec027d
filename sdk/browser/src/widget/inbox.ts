/** `<tidings-inbox>`: a bell with a badge that opens the inbox, or the inbox as part of the page. */

import type { Counts, Inbox } from "../client/types.js";
import type { AnchorOptions } from "./anchor.js";
import { BELL, h, icon, pop } from "./dom.js";
import { TidingsElement } from "./element.js";
import type { RenderItem, TabOption } from "./extras.js";
import css from "./inbox.css";
import { bells } from "./layers.js";
import { hasLeft } from "./leaving.js";
import { shower } from "./shower.js";
import { limited, Speaker } from "./speaker.js";
import { TidingsToasts } from "./toasts.js";

/** The clients whose user has logged out, until another one logs in. */
const left = new WeakSet<Inbox>();

/**
 * A bell with a badge that opens the inbox in a popover, or the inbox as a part of the page.
 *
 * @customElement tidings-inbox
 *
 * @attribute {"page"} mode - `page` shows the inbox in place, without a bell.
 * @attribute {"bottom" | "top" | "bottom-start" | "top-start" | "bottom-end" | "top-end"} placement - The side of the
 *   bell on which the popover opens, if it has room, and the edge that both share. Default: the side with more room,
 *   and the end.
 * @attribute {number} offset - The pixels between the bell and the popover. Default: 8.
 * @attribute {"unread" | "unseen"} badge - The number that the badge shows. Default: `unread`.
 * @attribute {boolean} toasts - Shows new notifications as toasts. While the list is in sight there are none.
 * @attribute {boolean} sound - Plays a short sound for a new notification, on one tab of the user.
 * @attribute {boolean} title-badge - Puts the number of unread notifications before the title of the page.
 * @attribute {JSON} tabs - The tabs above the list: `all`, `unread`, `archived`, and categories with their unread
 *   notifications, such as `[{"label": "Orders", "category": "orders."}]`.
 * @attribute {JSON} icons - The icon of each category, such as `{"orders.": "box", "billing": "/card.svg"}`. Rows of
 *   other categories have initials.
 * @attribute {string} image-origins - The origins from which images of `data` may load, separated by spaces. Default:
 *   only the page's own.
 * @attribute {boolean} markdown - Shows bold, italic, code and links in the text of notifications.
 * @attribute {boolean} snooze - Rows can be snoozed, and there is a tab of the snoozed ones.
 * @attribute {boolean} signed-out - Is on while no user is logged in. The element sets it, and shows nothing else then.
 *
 * @event {CustomEvent<ToggleDetail>} tidings-toggle - The popover was opened or closed. `detail.open` says which.
 *
 * @slot bell - An icon for the bell.
 * @slot head - Content beside the heading.
 * @slot empty - Replaces the message of a list without notifications.
 * @slot foot - Content below the list.
 * @slot signed-out - Content instead of the bell or the list while no user is logged in.
 *
 * @csspart bell - The button that opens the panel.
 * @csspart badge - The number on the bell.
 * @csspart panel - The box around the inbox.
 * @csspart head - The line with the heading.
 * @csspart heading - The heading.
 * @csspart tabs - The line of filters.
 * @csspart tab - A filter.
 * @csspart count - The number of unread notifications of a tab.
 * @csspart strip - The line about the connection, above the list.
 * @csspart missed - The line about notifications that are no longer available, above the list.
 * @csspart again - The button that reconnects.
 * @csspart dismiss - The button that hides the line about missed notifications, or an offer.
 * @csspart stage - The box around the list and what replaces it.
 * @csspart list - The rows.
 * @csspart day - The heading of a day.
 * @csspart item - A notification with the heading of its day.
 * @csspart unread - A notification that is not read.
 * @csspart row - A notification without the heading of its day.
 * @csspart own - The content of a notification by `renderItem`.
 * @csspart icon - The picture of a notification.
 * @csspart item-title - The title of a notification.
 * @csspart item-body - The text of a notification.
 * @csspart more - The button that shows the whole text of a notification.
 * @csspart group - The button that expands a group of notifications.
 * @csspart meta - The time and the category of a notification.
 * @csspart dot - The mark of an unread notification.
 * @csspart action - A notification's own action.
 * @csspart used - The action that the user used.
 * @csspart tools - The buttons of a row: read, archive.
 * @csspart tool - A button that is an icon.
 * @csspart snooze - The button of a row that snoozes it, or ends that.
 * @csspart snooze-menu - The menu of times to snooze until.
 * @csspart snooze-time - A time of that menu.
 * @csspart mark-all - The button that marks all as read.
 * @csspart archive-all - The button that archives all.
 * @csspart close - The button that closes the panel.
 * @csspart fresh - The button that scrolls to new notifications.
 * @csspart undo - The offer to take a mark back, to try again, or to confirm.
 * @csspart undo-button - The button of that offer.
 * @csspart empty - The message of a list without notifications.
 * @csspart retry - The button that loads again.
 * @csspart stack - The box around the toasts.
 * @csspart toast - A toast.
 * @csspart urgent - A toast of an urgent notification.
 *
 * @cssproperty [--tidings-badge=#cf2f38] - The badge.
 * @cssproperty [--tidings-on-badge=#fff] - The number on the badge.
 * @cssproperty [--tidings-width=400px] - The width of the popover.
 * @cssproperty [--tidings-height=600px] - The greatest height of the popover. In place: the height of the inbox, else `100%`.
 * @cssproperty [--tidings-toast-edge=16px] - The space between toasts and the edge of the window.
 */
export class TidingsInbox extends TidingsElement {
  static readonly observedAttributes = [
    ...TidingsElement.shared,
    "mode",
    "badge",
    "toasts",
    "sound",
    "title-badge",
    "tabs",
    "icons",
    "image-origins",
    "markdown",
    "snooze",
  ];
  declare mode: string;
  declare placement: string;
  declare offset: string;
  declare badge: string;
  declare toasts: boolean;
  declare titleBadge: boolean;
  declare tabs: string | readonly TabOption[];
  declare icons: string | Readonly<Record<string, string>>;
  declare imageOrigins: string;
  declare markdown: boolean;
  declare snooze: boolean;
  #popover: HTMLElement | undefined;
  #renderItem: RenderItem | undefined;

  static {
    TidingsInbox.reflect(
      ["mode", "placement", "offset", "badge", "tabs", "icons", "image-origins"],
      ["toasts", "title-badge", "markdown", "snooze"],
    );
  }

  constructor() {
    super();
    this.adopt([css]);
  }

  /**
   * Makes the content of a row from its item: an element, a text, or undefined for the usual content. It is called
   * again when the state of the item changes. If it fails, the row has the usual content.
   */
  get renderItem(): RenderItem | undefined {
    return this.#renderItem;
  }

  set renderItem(render: RenderItem | undefined) {
    const before = this.#renderItem;
    this.#renderItem = render;
    this.root.dispatchEvent(new Event("render"));
    this.attributeChangedCallback("", String(!before), String(!render));
  }

  /** Opens the popover, and moves the focus into it if the page has it. An inbox in place has none. */
  open(): void {
    if (this.#popover && !this.hasAttribute("signed-out")) pop(this.#popover, true);
  }

  /** Closes the popover. Focus that is inside it returns to the bell. */
  close(): void {
    if (this.#popover) pop(this.#popover, false);
  }

  protected override begin(client: Inbox): void {
    const shell = h("section", {
      class: "panel",
      part: "panel",
      tabindex: -1,
      lang: this.language,
      dir: this.direction,
      "aria-label": this.text("title"),
    });
    if (this.mode === "page") {
      this.root.append(shell);
      this.#shower(client, shell)(true);
    } else this.#bell(client, shell);
    this.root.append(h("slot", { name: "signed-out" }));
    this.toggleAttribute("signed-out", left.has(client));
    this.until(
      client.on("status", (change) => {
        const isLeft = hasLeft(change);
        if (isLeft) left.add(client);
        else if (change.status === "connected") left.delete(client);
        this.toggleAttribute("signed-out", left.has(client));
        // After the list has followed the change.
        if (isLeft) queueMicrotask(() => this.close());
      }),
    );
    this.#alerts(client);
  }

  #shower(client: Inbox, shell: HTMLElement, anchoring?: Omit<AnchorOptions, "signal">) {
    const [show, remove] = shower({
      client,
      host: this,
      shell,
      adopt: (sheets) => this.adopt(sheets),
      isExtended: () => !!(this.tabs || this.icons || this.markdown || this.snooze || this.#renderItem),
      ...(anchoring && { anchoring }),
    });
    this.until(remove);
    return show;
  }

  #bell(client: Inbox, popover: HTMLElement): void {
    const badge = h("span", { class: "badge", part: "badge", "aria-hidden": "true" });
    const bell = h(
      "button",
      {
        class: "bell",
        part: "bell",
        type: "button",
        "aria-haspopup": "dialog",
        "aria-expanded": "false",
        // Preload on hover and focus, before the click. It is built once.
        pointerenter: () => show(),
        focus: () => show(),
      },
      h("slot", { name: "bell" }, icon(BELL)),
      badge,
    );
    const isToasts = (target: EventTarget) => target instanceof TidingsToasts;
    const show = this.#shower(client, popover, {
      bell,
      popover,
      placement: () => this.placement,
      offset: () => this.offset,
      direction: this.direction,
      isInside: (path) => path.includes(this) || path.some(isToasts),
      ownsEscape: (path) => path.some((each) => isToasts(each) || (each as Element).role === "menu"),
      close: () => this.close(),
    });
    popover.popover = "manual";
    popover.setAttribute("role", "dialog");
    bell.popoverTargetElement = popover;
    const isOpen = () => bell.getAttribute("aria-expanded") === "true";
    if (!popover.showPopover) bell.addEventListener("click", () => pop(popover, !isOpen()));
    const kind = this.badge === "unseen" ? "unseen" : "unread";
    const count = (counts: Counts | undefined) => {
      const number = counts?.[kind] ?? 0;
      badge.hidden = !number;
      badge.textContent = limited(number);
      const unread = kind === "unread" ? `, ${this.text("unread")}` : "";
      const name = `${this.text("title")}${number ? `${unread}: ${limited(number)}` : ""}`;
      bell.setAttribute("aria-label", name);
    };
    count(client.counts);
    this.until(client.on("counts", count));
    this.until(client.on("status", (change) => hasLeft(change) && count(undefined)));
    let inside = false;
    const turn = (event: Event) => {
      const open = (event as ToggleEvent).newState === "open";
      if (event.type === "beforetoggle") inside = popover.matches(":focus-within");
      // The list is requested before the browser lays out and paints its box.
      show(open);
      return open;
    };
    popover.addEventListener("beforetoggle", turn);
    popover.addEventListener("toggle", (event) => {
      const open = turn(event);
      bell.setAttribute("aria-expanded", String(open));
      this.dispatchEvent(
        new CustomEvent("tidings-toggle", { detail: { open }, bubbles: true, composed: true }),
      );
      // A page in a frame takes no focus from the page around it. A click on another control keeps the focus there.
      if (open && document.hasFocus()) popover.focus();
      if (!open && inside && (document.activeElement === document.body || popover.matches(":focus-within")))
        bell.focus({ preventScroll: true });
    });
    this.root.append(bell, popover);
    this.#popover = popover;
    bells.add(bell);
    this.until(() => {
      bells.delete(bell);
      this.#popover = undefined;
    });
  }

  #alerts(client: Inbox): void {
    const speaker = new Speaker(this);
    this.root.append(speaker.element);
    this.until(() => speaker.cancel());
    this.until(client.on("status", (change) => hasLeft(change) && speaker.cancel()));
    this.until(client.on("notification", ({ item, replayed }) => replayed || speaker.announce(item)));
    if (this.sound) this.alert("soundFor", client);
    if (this.titleBadge) this.alert("titleFor", client);
    if (!this.toasts) return;
    const toasts = document.createElement("tidings-toasts");
    toasts.client = client;
    toasts.messages = this.messages;
    toasts.lang = this.language;
    toasts.dir = this.direction;
    toasts.setAttribute("exportparts", "stack, toast, urgent, item-title, item-body, action, icon, tool");
    this.root.append(toasts);
  }
}
