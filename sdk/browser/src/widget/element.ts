/** The base of the elements: the client, the language, the style sheets. */

import type { Inbox } from "../client/types.js";
import { loadAdvice, loadAlerts } from "./load.js";
import type { Localizer } from "./localizer.js";
import { isRightToLeft, speaks, textOf } from "./messages.js";
import { take } from "./own-clients.js";
import type { MessageKey, Messages } from "./texts-types.js";
import tokens from "./tokens.css";

/** Without a document, such as in a render on a server, the module can still be imported. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

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

/** Milliseconds after which an element without a client is a mistake. Frameworks set properties late. */
const SET_WITHIN = 2_000;
/** Names like those of the attributes, such as `token_url`. */
const LIKE_OURS = /url|token|badge|toast|theme|mode|sound|place/;

/**
 * The common part of both elements. The client is the property `client`, or is made from the attributes `url` and
 * `token-url`. Elements with equal values of these attributes share one client, and with it one connection.
 *
 * @attribute {string} url - The address of the Tidings API, such as `https://notify.example`.
 * @attribute {string} token-url - The address of the application that answers with a token for the user. It is
 *   requested with the page's cookies.
 * @attribute {string} realtime-url - The address of the gateway, if the answer of `token-url` does not have it.
 * @attribute {"light" | "dark" | "auto"} theme - The color scheme. `auto` is the one of the reader's system. Default: the
 *   one of the page around the element, its CSS property `color-scheme`.
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
  declare url: string;
  declare tokenUrl: string;
  declare realtimeUrl: string;
  declare theme: string;
  declare sound: boolean;
  readonly root = this.attachShadow({ mode: "open" });
  language = "en";
  direction: "ltr" | "rtl" = "ltr";
  #client: Inbox | undefined;
  #given: Inbox | undefined;
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

  static {
    TidingsElement.reflect(["url", "token-url", "realtime-url", "theme"], ["sound"]);
  }

  /**
   * Makes properties of attributes, such as `tokenUrl` of `token-url`. Those of `flags` are booleans, the others are
   * texts; an object becomes JSON. Setting false, null or undefined removes the attribute, and so does "" for a text.
   */
  protected static reflect(
    this: { readonly prototype: TidingsElement },
    texts: readonly string[],
    flags: readonly string[],
  ): void {
    for (const name of [...texts, ...flags])
      Object.defineProperty(
        // biome-ignore lint/complexity/noThisInStatic: `this` is the class whose `reflect` was called
        this.prototype,
        propertyOf(name),
        {
          get(this: TidingsElement) {
            return flags.includes(name) ? this.has(name) : (this.getAttribute(name) ?? "");
          },
          set(this: TidingsElement, value: unknown) {
            if (value || (value === "" && flags.includes(name)))
              this.setAttribute(
                name,
                value === true ? "" : typeof value === "object" ? JSON.stringify(value) : String(value),
              );
            else this.removeAttribute(name);
          },
        },
      );
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
    for (const name of Object.keys(this)) this.#upgrade(name);
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

  /** Whether an attribute is on. The value "false", which some frameworks write, is off. */
  protected has(name: string): boolean {
    return (this.getAttribute(name) ?? "false") !== "false";
  }

  /** Starts the sound or the count in the title, when its module has loaded. */
  protected alert(kind: "soundFor" | "titleFor", client: Inbox): void {
    let stop: (() => void) | undefined;
    let isOver = false;
    this.until(() => {
      isOver = true;
      stop?.();
    });
    // Without the module the page has neither.
    loadAlerts().then(
      (alerts) => {
        if (!isOver) stop = alerts[kind](client);
      },
      () => undefined,
    );
  }

  /** A property that was set before the definition of the element hides the accessor: sets it by the accessor. */
  #upgrade(name: string): void {
    const own = this as unknown as Record<string, unknown>;
    const value = own[name];
    delete own[name];
    own[name] = value;
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
    const client = this.#given ?? this.#own();
    if (this.getAttributeNames().some((name) => LIKE_OURS.test(name) && !(propertyOf(name) in this)))
      advise(({ misspelt }) => misspelt(this));
    if (!client) {
      const late = setTimeout(() => advise(({ missing }) => missing(this)), SET_WITHIN);
      this.until(() => clearTimeout(late));
      return;
    }
    this.#client = client;
    this.#watch(client);
    this.begin(client);
    if (client.status === "idle") client.connect();
  }

  /** Tells the developer why the client cannot connect. */
  #watch(client: Inbox): void {
    let isNew = client.status !== "connected";
    this.until(
      client.on("status", (change) => {
        isNew &&= change.status !== "connected";
        if (change.status === "stopped" || (change.status === "offline" && isNew))
          advise(({ explain }) => explain(this, client, change));
      }),
    );
  }

  #end(): void {
    for (const stop of this.#stops.splice(0).reverse()) stop();
    this.root.replaceChildren();
    this.#client = undefined;
  }

  #own(): Inbox | undefined {
    const { url, tokenUrl, realtimeUrl } = this;
    if (!url || !tokenUrl) return undefined;
    const [client, release] = take(url, tokenUrl, realtimeUrl);
    this.until(release);
    return client;
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
}

/** The property of an attribute: `tokenUrl` of `token-url`. */
function propertyOf(name: string): string {
  return name.replace(/-./, (dash) => dash.charAt(1).toUpperCase());
}

/** Loads the texts for the developer. Without them the console has none. */
function advise(run: (advice: typeof import("./advice.js")) => void): void {
  loadAdvice().then(run, () => undefined);
}

function isTag(language: string): boolean {
  try {
    return Intl.getCanonicalLocales(language).length > 0;
  } catch {
    return false;
  }
}
