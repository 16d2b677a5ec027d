/** An open popover: beside its bell, until the reader leaves it. */

/** Pixels between the popover and the edge of the window, and without another number between it and the bell. */
const GAP = 8;
/** Pixels of room at which the popover keeps its usual side. With less it has the side with more room. */
const ENOUGH = 600;
/** Pixels of room below which the popover uses neither side. */
const LEAST = 280;

/** Receives the close requests of the platform, such as the back gesture of a phone. Not all browsers have it. */
interface CloseWatcher extends EventTarget {
  destroy(): void;
}

export interface AnchorOptions {
  readonly bell: HTMLElement;
  readonly popover: HTMLElement;
  /** The attribute `placement`, or "". */
  placement(): string;
  /** The attribute `offset`, or "". */
  offset(): string;
  readonly direction: "ltr" | "rtl";
  /** Whether an event with this path is inside the open popover. */
  isInside(path: readonly EventTarget[]): boolean;
  /** Whether the target of an event with this path handles Escape itself. */
  ownsEscape(path: readonly EventTarget[]): boolean;
  close(): void;
  /** Removes all listeners. */
  readonly signal: AbortSignal;
}

/** Keeps the popover at its place, and closes it when the reader leaves it. */
export function anchor(options: AnchorOptions): void {
  const { signal } = options;
  const place = () => placeBeside(options);
  // The size is known after the popover is shown. It is placed before that frame is painted.
  requestAnimationFrame(place);
  window.addEventListener("resize", place, { signal });
  window.addEventListener("scroll", place, { capture: true, passive: true, signal });
  closeOnLeave(options);
}

/**
 * Places the popover below or above the bell, with their ends aligned, inside the window. The popover is as high as its
 * content, and at most as the room. Without room on both sides it is beside the bell, or at last over it: then it shows
 * a button that closes it. Every policy allows custom properties that a script sets.
 */
function placeBeside({ bell, popover, placement, offset, direction }: AnchorOptions): void {
  const asked = placement();
  const gap = Number(offset() || GAP);
  const from = bell.getBoundingClientRect();
  const width = popover.offsetWidth;
  const { clientWidth, clientHeight } = document.documentElement;
  const whole = clientHeight - 2 * GAP;
  const above = Math.min(from.top - GAP - gap, whole);
  const below = Math.min(clientHeight - from.bottom - GAP - gap, whole);
  const enough = asked ? LEAST : ENOUGH;
  const isAbove = asked.startsWith("top")
    ? above >= Math.min(enough, below)
    : below < Math.min(enough, above);
  let room = isAbove ? above : below;
  let left = asked.endsWith("start") === (direction === "ltr") ? from.left : from.right - width;
  const fits = (left: number) => left >= GAP && left + width <= clientWidth - GAP;
  const isTight = room < LEAST;
  const beside = isTight ? [from.left - gap - width, from.right + gap].find(fits) : undefined;
  if (isTight) room = whole;
  left = beside ?? Math.max(GAP, Math.min(left, clientWidth - GAP - width));
  const edge = isTight ? GAP : Math.max(GAP, isAbove ? clientHeight - from.top + gap : from.bottom + gap);
  popover.classList.toggle("over", isTight && beside === undefined);
  const set = (name: string, value: string) => popover.style.setProperty(name, value);
  set("--left", `${left}px`);
  set("--top", isAbove && !isTight ? "auto" : `${edge}px`);
  set("--bottom", isAbove && !isTight ? `${edge}px` : "auto");
  set("--room", `${room}px`);
}

/**
 * Calls `close` when the reader presses outside, moves focus outside, or requests a close. Escape closes only this
 * layer, and nothing else of the page.
 */
function closeOnLeave({ isInside, ownsEscape, close, signal }: AnchorOptions): void {
  const on = (name: string, run: (event: Event) => void) =>
    window.addEventListener(name, run, { capture: true, signal });
  const leave = (event: Event) => isInside(event.composedPath()) || close();
  on("pointerdown", leave);
  on("focusin", leave);
  on("keydown", (event) => {
    if ((event as KeyboardEvent).key !== "Escape" || ownsEscape(event.composedPath())) return;
    event.preventDefault();
    event.stopPropagation();
    close();
  });
  const { CloseWatcher } = window as { CloseWatcher?: new () => CloseWatcher };
  const watcher = CloseWatcher && new CloseWatcher();
  watcher?.addEventListener("close", close);
  signal.addEventListener("abort", () => watcher?.destroy());
}
