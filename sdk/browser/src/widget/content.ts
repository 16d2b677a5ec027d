/** The content that rows and toasts share: picture, title, text, actions. */

import type { Item } from "../client/types.js";
import { ALERT, BELL, h, icon } from "./dom.js";
import type { Localizer } from "./localizer.js";
import { safeImage, safeLink, shown } from "./text.js";

/** A reader chose a notification, or the action with this id. The event is the click, which may be on a link. */
export type Open = (event: MouseEvent, action?: string) => void;

/** Makes the picture of a notification. Until an image has loaded, and if it never does, the picture is an icon. */
export function picture(item: Item): HTMLElement {
  const { icon: address, priority } = item.notification;
  const box = h(
    "span",
    { class: "icon", part: "icon", "aria-hidden": "true" },
    icon(priority === "urgent" ? ALERT : BELL),
  );
  const source = safeImage(address);
  if (source) {
    const image = h("img", {
      src: source,
      alt: "",
      loading: "lazy",
      decoding: "async",
      referrerpolicy: "no-referrer",
      load: () => box.replaceChildren(image),
      error: () => image.remove(),
    });
    box.append(image);
  }
  return box;
}

/** Makes the link or button that opens a notification. Its name is the title. */
export function opener(item: Item, localizer: Localizer, open: Open): HTMLAnchorElement | HTMLButtonElement {
  const { title, body, category, link } = item.notification;
  const text = h(
    "span",
    { class: "title", part: "item-title", dir: "auto" },
    shown(title || body || (category ? labelOf(category) : localizer.text("new"))),
  );
  return linkOrButton(safeLink(link), { class: "open" }, open, text);
}

/** A category in words: "orders.in_transit" becomes "Orders in transit". */
export function labelOf(category: string): string {
  const words = shown(category)
    .replace(/[._:-]+/g, " ")
    .trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Makes the text below the title; undefined without a text or without a title. */
export function bodyOf(item: Item): HTMLElement | undefined {
  const { title, body } = item.notification;
  return title && body ? h("p", { class: "body", part: "item-body", dir: "auto" }, shown(body)) : undefined;
}

/** Makes the notification's own actions. */
export function actionsOf(item: Item, open: Open): HTMLElement {
  return h(
    "div",
    { class: "actions" },
    ...(item.notification.actions ?? []).map(({ id, label, link }) =>
      linkOrButton(
        safeLink(link),
        { class: "action", part: "action", dir: "auto" },
        (event) => open(event, id),
        shown(label),
      ),
    ),
  );
}

function linkOrButton(
  link: string | undefined,
  attributes: Record<string, string>,
  open: Open,
  child: Node | string,
): HTMLAnchorElement | HTMLButtonElement {
  const click = open as EventListener;
  if (!link) return h("button", { ...attributes, click, type: "button" }, child);
  // The middle button opens a link in another tab, and sends no click event.
  const auxclick = (event: Event) => (event as MouseEvent).button === 1 && click(event);
  return h("a", { ...attributes, click, auxclick, href: link, rel: "noopener" }, child);
}
