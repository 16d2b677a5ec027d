/** Makes elements. Text becomes text nodes only, so nothing in a notification can be markup. */

type Value = string | number | boolean | undefined | ((event: Event) => void);
type Child = Node | string | undefined;

/**
 * Makes an element with attributes and children. A string instead of attributes is its class and its part. `true`
 * sets an empty attribute; `false` and `undefined` set none. A function becomes a listener of the event with that
 * name.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, Value>> | string = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  const named = typeof attributes === "string" ? { class: attributes, part: attributes } : attributes;
  for (const [name, value] of Object.entries(named)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value !== undefined)
      element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Makes a button. `name` is its class and its part. */
export function button(name: string, click: (event: Event) => void, ...children: Child[]): HTMLButtonElement {
  return h("button", { class: name, part: name, type: "button", click }, ...children);
}

/** Makes a button that shows only an icon. `label` is its accessible name. */
export function tool(name: string, label: string, shape: string, click: () => void): HTMLButtonElement {
  const made = button(`tool ${name}`, click, icon(shape));
  nameAs(made, label);
  return made;
}

/** Names a control, for screen readers and as a tooltip. */
export function nameAs(control: HTMLElement, label: string): void {
  control.title = label;
  control.setAttribute("aria-label", label);
}

/** Sets a text if it differs. Most frames change few texts. */
export function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows or hides a popover. A document without popovers, as in tests, gets only the event. */
export function pop(popover: HTMLElement, shown: boolean): void {
  if (!popover.showPopover)
    popover.dispatchEvent(Object.assign(new Event("toggle"), { newState: shown ? "open" : "closed" }));
  else if (shown) popover.showPopover();
  else popover.hidePopover();
}

/** Calls `run` when the pointer or focus enters an element, and when it leaves. */
export function whileOn(element: HTMLElement, run: (on: boolean) => void): void {
  for (const name of ["pointerenter", "focusin"]) element.addEventListener(name, () => run(true));
  for (const name of ["pointerleave", "focusout"]) element.addEventListener(name, () => run(false));
}

/** Icons: path data of lines in a square of 24 units. */
export const BELL = "M6 9a6 6 0 0 1 12 0c0 6 2.5 7.5 2.5 7.5h-17S6 15 6 9M10 20.5a2.3 2.3 0 0 0 4 0";
export const CHECKS = "m2.5 12.5 4.5 4.5L17 7M12 17l10-10";
export const ARCHIVE = "M3 4.5h18V9H3zM5 9v10.5h14V9M10 13h4";
export const RESTORE = "M4 13v6.5h16V13M12 15V4M7.5 8.5 12 4l4.5 4.5";
export const READ = "m5 12.5 4.5 4.5L19 7.5";
export const UNREAD = "M12 7a5 5 0 1 0 0 10 5 5 0 1 0 0-10";
export const CLOSE = "m6 6 12 12M18 6 6 18";
export const ALERT = "M12 3.5 2.5 20h19zM12 10v4.5M12 17.2v.1";

/** Makes an icon. It is hidden from screen readers: the control around it has the name. */
export function icon(shape: string): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", shape);
  svg.append(path);
  return svg;
}

/** Milliseconds until a task runs without a frame. Tabs in the background have no frames. */
const HIDDEN_WAIT = 250;

/**
 * Runs `task` in the next frame, once for any number of requests. After a run of some duration the task pauses for
 * the same duration. So the page keeps half of its time, at any rate of notifications.
 */
export class OnceAFrame {
  readonly #task: () => void;
  #frame = 0;
  #timer = 0;
  #rested = 0;

  constructor(task: () => void) {
    this.#task = task;
  }

  request(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(this.#run);
    this.#timer = window.setTimeout(this.#run, HIDDEN_WAIT);
  }

  cancel(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = 0;
  }

  #run = (): void => {
    this.cancel();
    const started = performance.now();
    if (started < this.#rested) this.request();
    else {
      this.#task();
      const ended = performance.now();
      this.#rested = ended + (ended - started);
    }
  };
}
