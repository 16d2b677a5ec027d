/**
 * The content of rows by a function of the page. It is in the page's own document, in a slot of the row, so that the
 * page's styles apply to it. The row keeps its keys, its tools and its link.
 */

import type { Item } from "../client/types.js";
import { h } from "./dom.js";
import { warn } from "./options.js";

/** Makes the content of a row: an element, a text, or undefined for the usual row. */
export type RenderItem = (item: Item) => Node | string | null | undefined;

/** The element, as far as its rows need it. */
interface Host extends HTMLElement {
  readonly renderItem: RenderItem | undefined;
}

/** Controls in the content of a row. A press on one of them does not open the row. */
const CONTROLS = "a,button,input,select,textarea,label,summary,[tabindex],[contenteditable]";

interface Shown {
  readonly item: Item;
  readonly render: RenderItem;
  /** Undefined for the usual row. */
  readonly box: HTMLElement | undefined;
}

export class OwnRows {
  readonly #host: Host;
  readonly #shown = new Map<HTMLElement, Shown>();
  readonly #boxes = new Set<HTMLElement>();
  /** The content of a framework is often rendered later: the list has to know its height. */
  readonly #sizes: ResizeObserver | undefined;

  #asked = false;

  constructor(host: Host) {
    this.#host = host;
    // The element has another function now.
    host.shadowRoot?.addEventListener("render", this.#again);
    if (globalThis.ResizeObserver)
      this.#sizes = new ResizeObserver(() => {
        this.tidy();
        host.shadowRoot?.querySelector(".scroller")?.dispatchEvent(new Event("scroll"));
      });
  }

  /** Shows the content for an item, if the item or the function is another one than before. */
  update(item: Item, row: HTMLElement): void {
    const render = this.#host.renderItem;
    const before = this.#shown.get(row);
    if (!render) return;
    this.#tidyLater();
    if (before?.item === item && before.render === render) return;
    const content = contentOf(render, item);
    const box = content === undefined ? undefined : (before?.box ?? this.#make(item, row));
    if (content !== undefined && !(box?.childNodes.length === 1 && box.firstChild === content))
      box?.replaceChildren(content);
    if (!box && before?.box) this.#remove(before.box, row);
    row.classList.toggle("own", !!box);
    this.#shown.set(row, { item, render, box });
  }

  end(): void {
    this.#host.shadowRoot?.removeEventListener("render", this.#again);
    this.#sizes?.disconnect();
    for (const box of this.#boxes) box.remove();
    this.#boxes.clear();
  }

  #make(item: Item, row: HTMLElement): HTMLElement {
    const name = `item-${item.notification.id}`;
    const box = h("div", { slot: name });
    const slot = h("slot", { name, part: "own" });
    box.addEventListener("click", (event) => {
      if ((event.target as Element).closest(CONTROLS)) return;
      // With the keys that were held, so that a link opens in another tab.
      row.querySelector(".open")?.dispatchEvent(new MouseEvent("click", event));
    });
    row.insertBefore(slot, row.lastElementChild);
    this.#host.append(box);
    this.#boxes.add(box);
    this.#sizes?.observe(box);
    return box;
  }

  #remove(box: HTMLElement, row?: HTMLElement): void {
    row?.querySelector("slot[part=own]")?.remove();
    this.#sizes?.unobserve(box);
    this.#boxes.delete(box);
    box.remove();
  }

  /** Removes the content of rows that the list no longer has. */
  tidy(): void {
    this.#asked = false;
    for (const row of this.#shown.keys()) if (!row.isConnected) this.#shown.delete(row);
    for (const box of this.#boxes) if (!box.assignedSlot) this.#remove(box);
  }

  #again = (): void => {
    for (const [row, { item }] of this.#shown) this.update(item, row);
  };

  /** After the list has put its new rows into the document. */
  #tidyLater(): void {
    if (this.#asked) return;
    this.#asked = true;
    queueMicrotask(() => this.tidy());
  }
}

/** The content by the page's function; undefined for the usual row, also after a failure. */
function contentOf(render: RenderItem, item: Item): Node | string | undefined {
  try {
    const content = render(item) ?? undefined;
    if (content === undefined || typeof content === "string" || content instanceof Node) return content;
    throw new TypeError(`it returned ${typeof content}`);
  } catch (error) {
    warn(`renderItem failed, so rows are as usual. It has to return an element, a text or undefined.`, error);
    return undefined;
  }
}
