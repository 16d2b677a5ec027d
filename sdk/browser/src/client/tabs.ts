/**
 * Which of the tabs that share a connection holds it, and what they tell each other.
 *
 * The leader holds a Web Lock; when its tab closes, the next in line gets the lock at once. A leader that
 * hangs keeps its lock: tabs in sight ask it a few times a second, and take the lock where no answer comes.
 * What it still says is not listened to. Without the APIs each tab leads itself.
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
  /** From and to any: all stop. */
  | { readonly kind: "stop"; readonly change: StatusChange };

export interface TabsHooks {
  /** This tab leads from now on. */
  lead(): void;
  /** It does no more: another one took over. */
  follow(): void;
  /** Something to the leader on the tab that leads, or from the leader on one that follows. */
  receive(message: Message): void;
}

/** Together less than a second, in the worst case too. */
const ASK_EVERY = 150;
const ANSWER_WITHIN = 380;
/** Whoever follows answers a new leader by then, or says hello later. */
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
  /** Somebody follows, or may. A frame for nobody would cost more than all else that is done with it. */
  #followed = true;
  #answered = false;
  #timer: unknown;
  #heardAt = 0;
  #askedAt = 0;

  /** `name` is that of what is shared; undefined for a tab of its own. */
  constructor(name: string | undefined, hooks: TabsHooks, clock: Clock) {
    this.#name = canShare() ? name : undefined;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#id = clock.random().toString(36);
  }

  join(): void {
    try {
      if (this.#name !== undefined) this.#channel = new BroadcastChannel(this.#name);
    } catch {
      // Refused, as locks may be.
    }
    if (!this.#channel) {
      this.#lead();
      return;
    }
    this.#channel.onmessage = ({ data }) => {
      try {
        this.#receive(data);
      } catch {
        // Another version of this script, or another script, says it in its own way.
      }
    };
    this.#heardAt = this.#clock.now();
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
        // Aborted by this tab, or another one took the lock away.
        if (waiting !== this.#waiting) return;
        // Refused, as where the reader allows no site data, or in a sandboxed frame.
        if (error.name !== "AbortError") return this.#lead();
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
    // Who was the leader may not know yet that another tab took over.
    if (kind === "lead" || (kind === "snapshot" && !this.#leader)) this.#leader = from;
    if (this.leads || from !== this.#leader) return;
    this.#heardAt = this.#clock.now();
    this.#askedAt = 0;
    if (kind === "lead") this.post({ kind: "hello" });
    else this.#hooks.receive(message);
  }

  /** Asks a leader that was silent for a while, and takes its place where it stays silent. */
  #watch(within = ASK_EVERY): void {
    const due = this.#clock.now() + within;
    this.#timer = this.#clock.setTimeout(() => {
      const now = this.#clock.now();
      // Late ourselves: the answer may be waiting behind this very timer, so it comes before the next.
      if (now - due > ASK_EVERY) return this.#watch(ASK_EVERY / 5);
      if (document.hidden) {
        this.#askedAt = 0;
      } else if (this.#askedAt && now - this.#askedAt >= ANSWER_WITHIN) {
        this.#askedAt = 0;
        this.#queue(true);
      } else if (!this.#askedAt && now - this.#heardAt >= ASK_EVERY) {
        this.#askedAt = now;
        this.post({ kind: "ping" });
      }
      this.#watch();
    }, within);
  }
}

function canShare(): boolean {
  // Where there are locks there are channels.
  return typeof document !== "undefined" && navigator.locks !== undefined;
}
