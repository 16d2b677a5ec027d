/** The base of the elements: the client, the language, the style sheets. */

import { Tidings } from "../client/index.js";
import type { Inbox, Item } from "../client/types.js";
import { isRightToLeft, speaks, textOf } from "./messages.js";
import type { MessageKey, Messages } from "./texts-types.js";
import tokens from "./tokens.css";

/** A reader opened a notification or one of its actions. Cancel the event to keep its link from being followed. */
export interface OpenDetail {
  readonly item: Item;
  /** The id of the action; undefined for the notification itself. */
  readonly action: string | undefined;
}

/** Without a document, such as in a render on a server, the module can still be imported. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** The language of an element, for the parts inside it. */
export interface Localizer {
  readonly language: string;
  /** The text of the first key that has one. The page's own texts take precedence over those of the language. */
  text(...keys: MessageKey[]): string;
}

const sheets = new Map<string, CSSStyleSheet>();

/** Returns the sheet for all elements of a page. A policy without `unsafe-inline` allows constructed sheets. */
function sheetOf(css: string): CSSStyleSheet {
  let sheet = sheets.get(css);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    sheets.set(css, sheet);
  }
  return sheet;
}

/** Clients from attributes, by the values of these attributes, with the number of elements that use each. */
const clients = new Map<string, { client: Tidings; users: number }>();

/**
 * The common part of both elements. The client is the property `client`, or is made from the attributes `url` and
 * `token-url`. Elements with equal values of these attributes share one client, and with it one connection.
 *
 * @attribute {string} url - The address of the Tidings API, such as `https://notify.example`.
 * @attribute {string} token-url - The address of the application that answers with a token for the user. It is
 *   requested with the page's cookies.
 * @attribute {string} realtime-url - The address of the gateway, if the answer of `token-url` does not have it.
 * @attribute {"light" | "dark"} theme - The color scheme. Default: the one of the page or of the reader's system.
 * @attribute {string} lang - The language. Default: the language of the page, or else of the browser.
 * @attribute {"ltr" | "rtl"} dir - The text direction. Default: the direction of the language.
 *
 * @event {CustomEvent<OpenDetail>} tidings-open - A reader opened a notification or one of its actions. `detail` has
 *   the item and the id of the action. `preventDefault()` keeps the browser from following the link.
 *
 * @cssproperty [--tidings-accent=light-dark(#4150d8, #97a2ff)] - Dots, the chosen tab, the first action, and focus.
 * @cssproperty [--tidings-on-accent=light-dark(#fff, #12142b)] - Text on the accent color.
 * @cssproperty [--tidings-surface=light-dark(#fff, #1b1d23)] - The background.
 * @cssproperty [--tidings-text=light-dark(#16181d, #eceef2)] - Text.
 * @cssproperty [--tidings-muted=light-dark(#5c6370, #a3aab6)] - Secondary text.
 * @cssproperty [--tidings-line=light-dark(#e8eaee, #2d3038)] - Rules between parts.
 * @cssproperty [--tidings-hover=light-dark(#f5f6f8, #24272e)] - The background under the pointer.
 * @cssproperty [--tidings-alert=light-dark(#b3261e, #ff9a90)] - Urgent notifications.
 * @cssproperty [--tidings-radius=14px] - The radius of corners.
 * @cssproperty --tidings-shadow - The shadow of the popover and of toasts.
 * @cssproperty --tidings-font - The font families.
 */
export abstract class TidingsElement extends Base implements Localizer {
  static readonly shared: readonly string[] = ["url", "token-url", "realtime-url", "lang", "dir"];
  readonly root = this.attachShadow({ mode: "open" });
  language = "en";
  direction: "ltr" | "rtl" = "ltr";
  #client: Inbox | undefined;
  #given: Inbox | undefined;
  #key: string | undefined;
  #messages: Partial<Messages> = {};
  #stops: (() => void)[] = [];
  #asked = false;

  /**
   * Defines this element as `tag`. A tag that the registry has already is left as it is. A registry takes a class
   * only once, so a further tag gets a subclass.
   */
  static define(
    this: CustomElementConstructor,
    tag: string,
    registry: CustomElementRegistry | undefined = globalThis.customElements,
  ): void {
    if (!registry || registry.get(tag)) return;
    // biome-ignore-start lint/complexity/noThisInStatic: `this` is the subclass whose `define` was called
    try {
      registry.define(tag, this);
    } catch {
      registry.define(tag, class extends this {});
    }
    // biome-ignore-end lint/complexity/noThisInStatic: `this` is the subclass whose `define` was called
  }

  constructor() {
    super();
    this.adopt([tokens]);
  }

  /** Adds style sheets, each once. A document without constructed sheets, as in tests, gets no styles. */
  protected adopt(sheets: readonly string[]): void {
    const adopted = this.root.adoptedStyleSheets;
    if (adopted) this.root.adoptedStyleSheets = [...new Set([...adopted, ...sheets.map(sheetOf)])];
  }

  /** The client in use. A client that is set here takes precedence over the attributes. */
  get client(): Inbox | undefined {
    return this.#client ?? this.#given;
  }

  set client(client: Inbox | undefined) {
    if (client === this.#given) return;
    this.#given = client;
    this.#restart();
  }

  /** The page's own texts. They replace those of the language, key by key. */
  get messages(): Partial<Messages> {
    return this.#messages;
  }

  set messages(messages: Partial<Messages>) {
    // Frameworks set equal objects repeatedly, and a restart would close the panel.
    if (JSON.stringify(messages) === JSON.stringify(this.#messages)) return;
    this.#messages = messages;
    this.#restart();
  }

  text(...keys: MessageKey[]): string {
    const own = keys.map((key) => this.#messages[key]).find((text) => text !== undefined);
    return own ?? keys.map((key) => textOf(this.language, key)).find(Boolean) ?? "";
  }

  connectedCallback(): void {
    this.#upgrade("client");
    this.#upgrade("messages");
    this.#restart();
  }

  disconnectedCallback(): void {
    this.#end();
  }

  attributeChangedCallback(_name: string, before: string | null, after: string | null): void {
    if (before !== after) this.#restart();
  }

  /** Builds the element's content for a client. */
  protected abstract begin(client: Inbox): void;

  /** Registers a function that runs when the content of `begin` is removed. */
  protected until(stop: () => void): void {
    this.#stops.push(stop);
  }

  /**
   * Marks an item as read and dispatches `tidings-open`. If the page cancels that, the link is not followed. For a
   * link that opens in another tab or window, by a key or the middle button, no event is dispatched.
   */
  protected opened(client: Inbox, item: Item, event: MouseEvent, action?: string): void {
    const { id } = item.notification;
    if (item.read_at === null) client.mark("read", { ids: [id] }).catch(() => undefined);
    if (opensBeside(event)) return;
    const detail: OpenDetail = { item, action };
    const report = new CustomEvent("tidings-open", {
      detail,
      bubbles: true,
      composed: true,
      cancelable: true,
    });
    if (!this.dispatchEvent(report)) event.preventDefault();
  }

  /** A property that was set before the definition of the element hides the accessor: sets it by the accessor. */
  #upgrade(name: "client" | "messages"): void {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete (this as Partial<Record<typeof name, unknown>>)[name];
    Object.assign(this, { [name]: value });
  }

  /** Restarts after the current task, once for all attributes and properties that the task sets. */
  #restart(): void {
    if (this.#asked) return;
    this.#asked = true;
    queueMicrotask(() => {
      this.#asked = false;
      this.#end();
      if (this.isConnected) this.#start();
    });
  }

  #start(): void {
    this.#speak();
    const client = this.#given ?? this.#fromAttributes();
    if (!client) return;
    this.#client = client;
    this.begin(client);
    if (client.status === "idle") client.connect();
  }

  #end(): void {
    for (const stop of this.#stops.splice(0).reverse()) stop();
    this.root.replaceChildren();
    this.#client = undefined;
    const key = this.#key;
    this.#key = undefined;
    const entry = key === undefined ? undefined : clients.get(key);
    if (!entry || !key) return;
    entry.users -= 1;
    // A moved element is connected again within the same task.
    setTimeout(() => {
      if (entry.users || clients.get(key) !== entry) return;
      clients.delete(key);
      void entry.client.close();
    });
  }

  #speak(): void {
    const asked =
      this.lang ||
      this.closest<HTMLElement>("[lang]")?.lang ||
      document.documentElement.lang ||
      navigator.language;
    const language = speaks(asked) || Object.keys(this.#messages).length ? asked : "en";
    this.language = isTag(language) ? language : "en";
    this.direction = (this.dir || (isRightToLeft(language) ? "rtl" : "ltr")) === "rtl" ? "rtl" : "ltr";
  }

  #fromAttributes(): Inbox | undefined {
    const url = this.getAttribute("url");
    const source = this.getAttribute("token-url");
    if (!url || !source) return undefined;
    const realtimeUrl = this.getAttribute("realtime-url");
    const key = JSON.stringify([url, source, realtimeUrl]);
    let entry = clients.get(key);
    if (!entry) {
      const token = (signal: AbortSignal) =>
        fetch(source, {
          headers: { accept: "application/json" },
          credentials: "same-origin",
          // With the cache, a hanging request would block all further requests of this address.
          cache: "no-store",
          signal,
        });
      entry = { client: new Tidings({ url, token, ...(realtimeUrl ? { realtimeUrl } : {}) }), users: 0 };
      clients.set(key, entry);
    }
    entry.users += 1;
    this.#key = key;
    return entry.client;
  }
}

/** Whether a click on a link opens another tab or window. */
export function opensBeside(event: MouseEvent): boolean {
  const { button, metaKey, ctrlKey, shiftKey, altKey, currentTarget } = event;
  return currentTarget instanceof HTMLAnchorElement && (!!button || metaKey || ctrlKey || shiftKey || altKey);
}

function isTag(language: string): boolean {
  try {
    return Intl.getCanonicalLocales(language).length > 0;
  } catch {
    return false;
  }
}
