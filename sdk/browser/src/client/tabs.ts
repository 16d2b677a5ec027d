/**
 * Elects the leader of the tabs that share a connection, and carries their messages.
 *
 * The leader holds a Web Lock. When its tab closes, the next tab in the queue gets the lock at once. A hanging
 * leader keeps its lock: visible tabs send it a `ping` a few times a second, and steal the lock if no answer
 * arrives. Later messages of the old leader are ignored. Without these APIs each tab is its own leader.
 */

import type { Snapshot } from "./session.js";
import type { Clock, StatusChange } from "./types.js";

export type Message =
  /** To the leader. */
  | { readonly kind: "hello" | "ping" }
  | { readonly kind: "send"; readonly frame: string }
  /** From the leader. */
  | { readonly kind: "lead" | "pong" }
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot | undefined; readonly change: StatusChange }
  | { readonly kind: "frame"; readonly text: string }
  | { readonly kind: "status"; readonly change: StatusChange }
  /** From and to any tab: all stop. */
  | { readonly kind: "stop"; readonly change: StatusChange };

export interface TabsHooks {
  /** This tab became the leader. */
  lead(): void;
  /** This tab lost the lead to another tab. */
  follow(): void;
  /** A message: on the leader from a following tab, on a following tab from the leader. */
  receive(message: Message): void;
}

/** Milliseconds. A hanging leader is replaced in less than a second, also in the worst case. */
const PING_EVERY = 150;
const ANSWER_WITHIN = 380;
/** Milliseconds in which following tabs answer a new leader. A later one says hello. */
const ROLL_CALL = 1_000;

export class Tabs {
  leads = false;
  readonly #name: string | undefined;
  readonly #hooks: TabsHooks;
  readonly #clock: Clock;
  readonly #id: string;
  #channel: BroadcastChannel | undefined;
  #waiting: AbortController | undefined;
  #release: (() => void) | undefined;
  #leader: string | undefined;
  /** Another tab follows, or may follow. Otherwise frames are not posted: a post is the costliest step of a frame. */
  #followed = true;
  #answered = false;
  #timer: unknown;
  #receivedAt = 0;
  #pingedAt = 0;

  /** `name` is the name of the shared connection; undefined if this tab does not share. */
  constructor(name: string | undefined, hooks: TabsHooks, clock: Clock) {
    // Browsers with locks have channels.
    this.#name = globalThis.document && navigator.locks ? name : undefined;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#id = clock.random().toString(36);
  }

  join(): void {
    try {
      if (this.#name !== undefined) this.#channel = new BroadcastChannel(this.#name);
    } catch {
      // The browser can refuse channels, as it can refuse locks.
    }
    if (!this.#channel) {
      this.#lead();
      return;
    }
    this.#channel.onmessage = ({ data }) => {
      try {
        this.#receive(data);
      } catch {
        // A message in another format: of another version of this script, or of another script.
      }
    };
    this.#receivedAt = this.#clock.now();
    this.#watch();
    this.#queue(false);
    this.post({ kind: "hello" });
  }

  leave(): void {
    this.leads = false;
    this.#clock.clearTimeout(this.#timer);
    this.#waiting?.abort();
    this.#release?.();
    this.#channel?.close();
    this.#channel = this.#release = this.#waiting = this.#leader = undefined;
  }

  post(message: Message): void {
    if (message.kind === "frame" && !this.#followed) return;
    this.#channel?.postMessage({ ...message, from: this.#id });
  }

  #queue(steal: boolean): void {
    this.#waiting?.abort();
    const waiting = new AbortController();
    this.#waiting = waiting;
    navigator.locks
      .request(this.#name as string, steal ? { steal } : { signal: waiting.signal }, () => {
        if (waiting.signal.aborted) return;
        this.#lead();
        return new Promise<void>((release) => {
          this.#release = release;
        });
      })
      .catch((error: Error) => {
        // This tab aborted the request itself.
        if (waiting !== this.#waiting) return;
        // The browser refuses locks: the reader allows no site data, or the frame is sandboxed.
        if (error.name !== "AbortError") return this.#lead();
        // Another tab stole the lock.
        this.leads = false;
        this.#release = undefined;
        this.#hooks.follow();
        this.#queue(false);
        this.#watch();
      });
  }

  #lead(): void {
    this.leads = true;
    this.#leader = undefined;
    this.#clock.clearTimeout(this.#timer);
    this.#followed = true;
    this.#answered = false;
    this.#clock.setTimeout(() => {
      this.#followed = this.#answered;
    }, ROLL_CALL);
    this.post({ kind: "lead" });
    this.#hooks.lead();
  }

  #receive(message: Message & { readonly from: string }): void {
    const { kind, from } = message;
    if (kind === "hello" || kind === "ping" || kind === "send") {
      if (!this.leads) return;
      this.#followed = this.#answered = true;
      if (kind === "ping") this.post({ kind: "pong" });
      else this.#hooks.receive(message);
      return;
    }
    if (kind === "stop") {
      this.#hooks.receive(message);
      return;
    }
    // The old leader may send messages until it learns of the new one. Only the newest leader is followed.
    if (kind === "lead" || (kind === "snapshot" && !this.#leader)) this.#leader = from;
    if (this.leads || from !== this.#leader) return;
    this.#receivedAt = this.#clock.now();
    this.#pingedAt = 0;
    if (kind === "lead") this.post({ kind: "hello" });
    else this.#hooks.receive(message);
  }

  /** Sends a `ping` to a silent leader, and takes the lead if no answer arrives. */
  #watch(within = PING_EVERY): void {
    const due = this.#clock.now() + within;
    this.#timer = this.#clock.setTimeout(() => {
      const now = this.#clock.now();
      // This tab was late itself: the answer may be queued behind this timer. The next, short timer runs after it.
      if (now - due > PING_EVERY) return this.#watch(PING_EVERY / 5);
      if (document.hidden) {
        this.#pingedAt = 0;
      } else if (this.#pingedAt && now - this.#pingedAt >= ANSWER_WITHIN) {
        this.#pingedAt = 0;
        this.#queue(true);
      } else if (!this.#pingedAt && now - this.#receivedAt >= PING_EVERY) {
        this.#pingedAt = now;
        this.post({ kind: "ping" });
      }
      this.#watch();
    }, within);
  }
}
