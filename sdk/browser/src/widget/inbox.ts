/** `<tidings-inbox>`: a bell with a badge that opens the inbox, or the inbox as part of the page. */

import type { Counts, Inbox } from "../client/types.js";
import { limited, Speaker, soundFor, titleFor } from "./alerts.js";
import { BELL, button, h, icon, pop } from "./dom.js";
import { opensBeside, TidingsElement } from "./element.js";
import css from "./inbox.css";
import { bells, closeOnLeave, setOpen } from "./layers.js";
import { hasLeft } from "./leaving.js";
import { load } from "./load.js";
import { learn } from "./messages.js";
import type { Panel } from "./panel.js";
import { TidingsToasts } from "./toasts.js";

/** Pixels between the bell and the panel, and between the panel and the edge of the window. */
const GAP = 8;

/**
 * A bell with a badge that opens the inbox in a popover, or the inbox as a part of the page.
 *
 * @customElement tidings-inbox
 *
 * @attribute {"page"} mode - `page` shows the inbox in place, without a bell.
 * @attribute {"unread" | "unseen"} badge - The number that the badge shows. Default: `unread`.
 * @attribute {boolean} toasts - Shows new notifications as toasts. While the panel is open, only urgent ones.
 * @attribute {boolean} sound - Plays a short sound for a new notification, on one tab of the user.
 * @attribute {boolean} title-badge - Puts the number of unread notifications before the title of the page.
 *
 * @slot bell - An icon for the bell.
 * @slot head - Content beside the heading.
 * @slot empty - Replaces the message of a list without notifications.
 * @slot foot - Content below the list.
 *
 * @csspart bell - The button that opens the panel.
 * @csspart badge - The number on the bell.
 * @csspart panel - The box around the inbox.
 * @csspart head - The line with the heading.
 * @csspart heading - The heading.
 * @csspart tabs - The line of filters.
 * @csspart tab - A filter.
 * @csspart count - The number of unread notifications in its filter.
 * @csspart strip - The line about the connection, above the list.
 * @csspart missed - The line about notifications that are no longer available, above the list.
 * @csspart again - The button that reconnects.
 * @csspart dismiss - The button that hides the line about missed notifications.
 * @csspart stage - The box around the list and what replaces it.
 * @csspart list - The rows.
 * @csspart day - The heading of a day.
 * @csspart item - A notification with the heading of its day.
 * @csspart unread - A notification that is not read.
 * @csspart row - A notification without the heading of its day.
 * @csspart icon - The picture of a notification.
 * @csspart item-title - The title of a notification.
 * @csspart item-body - The text of a notification.
 * @csspart meta - The time and the category of a notification.
 * @csspart dot - The mark of an unread notification.
 * @csspart action - A notification's own action.
 * @csspart tools - The buttons of a row: read, archive.
 * @csspart tool - A button that is an icon.
 * @csspart mark-all - The button that marks all as read.
 * @csspart close - The button that closes the panel.
 * @csspart fresh - The button that scrolls to new notifications.
 * @csspart undo - The offer to take an archiving back.
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
 * @cssproperty [--tidings-height=600px] - The height of the popover. In place: the height of the inbox, else `100%`.
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
  ];
  #popover: HTMLElement | undefined;

  constructor() {
    super();
    this.adopt([css]);
  }

  /** Opens the popover. An inbox in place has none, and nothing happens. */
  open(): void {
    if (this.#popover) pop(this.#popover, true);
  }

  /** Closes the popover. Focus that is inside it returns to the bell. */
  close(): void {
    if (this.#popover) pop(this.#popover, false);
  }

  protected override begin(client: Inbox): void {
    const page = this.getAttribute("mode") === "page";
    const shell = h("section", {
      class: "panel",
      part: "panel",
      tabindex: -1,
      lang: this.language,
      dir: this.direction,
      "aria-label": this.text("title"),
    });
    const { prepare, show } = this.#shower(client, shell, page ? undefined : () => this.close());
    if (page) {
      this.root.append(shell);
      show(true);
    } else {
      this.#bell(client, shell, prepare);
      shell.addEventListener("toggle", (event) => show((event as ToggleEvent).newState === "open"));
    }
    this.#alerts(client);
  }

  /** Returns `prepare`, which builds the panel early, and `show`, which starts and stops it. */
  #shower(client: Inbox, shell: HTMLElement, close: (() => void) | undefined) {
    let panel: Panel | undefined;
    let wanted = false;
    let making: Promise<void> | undefined;
    /** Hover, focus and click can all trigger this; build once. */
    const make = () => {
      making ??= build().finally(() => {
        making = undefined;
      });
      return making;
    };
    const build = async () => {
      const parts = await load();
      learn(parts.texts);
      if (!shell.isConnected) return;
      this.adopt(parts.Panel.css);
      panel = new parts.Panel({
        feed: new parts.Feed(client),
        localizer: this,
        shell,
        close,
        open: (item, event, action) => {
          this.opened(client, item, event, action);
          if (item.notification.link && !action && !opensBeside(event)) close?.();
        },
      });
      if (wanted) panel.start();
    };
    const show = (open: boolean) => {
      wanted = open;
      setOpen(shell, open);
      if (!open) panel?.rest();
      else if (panel) panel.start();
      else make().catch(() => shell.replaceChildren(button("retry", () => show(wanted), this.text("retry"))));
    };
    this.until(() => show(false));
    const prepare = (opens: boolean) => {
      wanted ||= opens;
      if (!panel) make().catch(() => undefined);
      else if (opens) panel.start();
    };
    return { prepare, show };
  }

  #bell(client: Inbox, popover: HTMLElement, prepare: (opens: boolean) => void): void {
    const badge = h("span", { class: "badge", part: "badge", "aria-hidden": "true" });
    const bell = h(
      "button",
      {
        class: "bell",
        part: "bell",
        type: "button",
        "aria-haspopup": "dialog",
        "aria-expanded": "false",
        // Preload on hover and focus, before the click.
        pointerenter: () => prepare(false),
        focus: () => prepare(false),
      },
      h("slot", { name: "bell" }, icon(BELL)),
      badge,
    );
    popover.popover = "manual";
    popover.setAttribute("role", "dialog");
    bell.popoverTargetElement = popover;
    if (!popover.showPopover) bell.addEventListener("click", () => pop(popover, !shown));
    const kind = this.getAttribute("badge") === "unseen" ? "unseen" : "unread";
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
    this.until(
      client.on("status", (change) => {
        if (hasLeft(change)) count(undefined);
      }),
    );
    let inside = false;
    const place = () => this.#place(bell, popover);
    const isToasts = (target: EventTarget) => target instanceof TidingsToasts;
    let shown: AbortController | undefined;
    popover.addEventListener("toggle", (event) => {
      const open = (event as ToggleEvent).newState === "open";
      bell.setAttribute("aria-expanded", String(open));
      // After a close and an open in one task the browser sends only the event of the open.
      shown?.abort();
      shown = undefined;
      if (!open) {
        // Focus returns to the bell only from inside the panel. A click on another control keeps the focus there.
        const left = document.activeElement === document.body || popover.matches(":focus-within");
        if (inside && left) bell.focus({ preventScroll: true });
        return;
      }
      shown = new AbortController();
      const { signal } = shown;
      popover.focus();
      place();
      window.addEventListener("resize", place, { signal });
      window.addEventListener("scroll", place, { capture: true, passive: true, signal });
      closeOnLeave({
        isInside: (path) => path.includes(this) || path.some(isToasts),
        ownsEscape: (path) => path.some(isToasts),
        close: () => this.close(),
        signal,
      });
    });
    // The size is known after the popover is shown. It is placed before that frame is painted.
    popover.addEventListener("beforetoggle", (event) => {
      // The list is requested before the browser lays out and paints its box.
      if ((event as ToggleEvent).newState === "open") prepare(true);
      inside = popover.matches(":focus-within");
      requestAnimationFrame(place);
    });
    this.root.append(bell, popover);
    this.#popover = popover;
    bells.add(bell);
    this.until(() => {
      shown?.abort();
      bells.delete(bell);
      this.#popover = undefined;
    });
  }

  /**
   * Places the popover below the bell, with their ends aligned, and inside the window. Every policy allows custom
   * properties that a script sets.
   */
  #place(bell: HTMLElement, popover: HTMLElement): void {
    const from = bell.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = popover;
    const { clientWidth, clientHeight } = document.documentElement;
    const left = this.direction === "rtl" ? from.left : from.right - width;
    const below = from.bottom + GAP;
    const top =
      below + height <= clientHeight - GAP
        ? below
        : Math.max(from.top - GAP - height, clientHeight - GAP - height);
    popover.style.setProperty("--left", `${Math.max(GAP, Math.min(left, clientWidth - GAP - width))}px`);
    popover.style.setProperty("--top", `${Math.max(GAP, top)}px`);
  }

  #alerts(client: Inbox): void {
    const speaker = new Speaker(this);
    this.root.append(speaker.element);
    this.until(() => speaker.cancel());
    this.until(client.on("status", (change) => hasLeft(change) && speaker.cancel()));
    this.until(client.on("notification", ({ item, replayed }) => replayed || speaker.announce(item)));
    if (this.hasAttribute("sound")) this.until(soundFor(client));
    if (this.hasAttribute("title-badge")) this.until(titleFor(client));
    if (!this.hasAttribute("toasts")) return;
    const toasts = document.createElement("tidings-toasts");
    toasts.client = client;
    toasts.messages = this.messages;
    toasts.lang = this.language;
    toasts.dir = this.direction;
    toasts.setAttribute("exportparts", "stack, toast, urgent, item-title, item-body, action, icon, tool");
    this.root.append(toasts);
  }
}
