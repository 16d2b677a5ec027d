/** `<tidings-inbox>`: a bell with a badge that opens the inbox, or the inbox as part of the page. */

import type { Inbox } from "../client/types.js";
import { limited, Speaker, soundFor, titleFor } from "./alerts.js";
import { h, icon } from "./dom.js";
import { TidingsElement } from "./element.js";
import { Feed } from "./feed.js";
import css from "./inbox.css";
import { Panel } from "./panel.js";
import { TidingsToasts } from "./toasts.js";

/** Between the bell and the panel, and between the panel and the edge of the window. */
const GAP = 8;

/**
 * Attributes besides those of every element: `mode="page"` shows the inbox in place, without a bell;
 * `badge="unseen"` counts what was not seen instead of what was not read; `toasts`, `sound` and
 * `title-badge` switch those on; `theme="light"` and `theme="dark"` override the reader's preference.
 *
 * Slots: `bell` (an icon of one's own), `head`, `empty`, `foot`. Event: `tidings-open`.
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
    super(css);
  }

  /** Opens the popover, if this inbox has one. */
  open(): void {
    this.#popover?.showPopover();
  }

  /** Closes the popover; focus goes back to where it came from. */
  close(): void {
    this.#popover?.hidePopover();
  }

  protected override begin(client: Inbox): void {
    const page = this.getAttribute("mode") === "page";
    const feed = new Feed(client);
    const panel = new Panel({
      feed,
      words: this,
      open: (item, event, action) => {
        this.opened(client, item, event, action);
        if (item.notification.link && !action) this.close();
      },
      close: page ? undefined : () => this.close(),
    });
    panel.element.lang = this.language;
    panel.element.dir = this.direction;
    this.until(() => panel.rest());
    if (page) {
      this.root.append(panel.element);
      panel.start();
    } else this.#bell(client, panel);
    this.#alerts(client);
  }

  #bell(client: Inbox, panel: Panel): void {
    const badge = h("span", { class: "badge", part: "badge", "aria-hidden": "true" });
    const bell = h(
      "button",
      { class: "bell", part: "bell", type: "button", "aria-haspopup": "dialog" },
      h("slot", { name: "bell" }, icon("bell")),
      badge,
    );
    const popover = panel.element;
    popover.popover = "auto";
    popover.role = "dialog";
    bell.popoverTargetElement = popover;
    bell.ariaExpanded = "false";
    const kind = this.getAttribute("badge") === "unseen" ? "unseen" : "unread";
    const count = () => {
      const number = client.counts?.[kind] ?? 0;
      badge.hidden = !number;
      badge.textContent = limited(number);
      const label = `${this.say("title")}${number ? `, ${this.say("unread")}: ${number}` : ""}`;
      if (bell.ariaLabel !== label) bell.ariaLabel = label;
    };
    count();
    this.until(client.on("counts", count));

    const place = () => this.#place(bell, popover);
    popover.addEventListener("beforetoggle", (event) => {
      if ((event as ToggleEvent).newState !== "open") return;
      panel.start();
      requestAnimationFrame(place);
      window.addEventListener("resize", place);
      window.addEventListener("scroll", place, { capture: true, passive: true });
    });
    const shut = () => {
      window.removeEventListener("resize", place);
      window.removeEventListener("scroll", place, { capture: true });
    };
    popover.addEventListener("toggle", (event) => {
      const open = (event as ToggleEvent).newState === "open";
      bell.ariaExpanded = String(open);
      if (open) {
        place();
        popover.focus();
      } else {
        shut();
        panel.rest();
      }
    });
    this.until(shut);
    this.root.append(bell, popover);
    this.#popover = popover;
    this.until(() => {
      this.#popover = undefined;
    });
  }

  /** Under the bell, its end at the bell's end; moved in where the window ends. Numbers, so any policy allows it. */
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
    const speaker = new Speaker((count) => `${this.say("title")}: ${count}`);
    this.root.append(speaker.element);
    this.until(() => speaker.stop());
    this.until(client.on("notification", ({ item, replayed }) => replayed || speaker.tell(item)));
    if (this.hasAttribute("sound")) this.until(soundFor(client));
    if (this.hasAttribute("title-badge")) this.until(titleFor(client));
    if (!this.hasAttribute("toasts")) return;
    const toasts = new TidingsToasts();
    toasts.client = client;
    toasts.messages = this.messages;
    toasts.lang = this.language;
    toasts.dir = this.direction;
    const theme = this.getAttribute("theme");
    if (theme) toasts.setAttribute("theme", theme);
    toasts.setAttribute("exportparts", "toast, item-title, item-body, action, icon, tool");
    this.root.append(toasts);
  }
}
