/**
 * Subscriptions to topics. `Tidings.subscribe` loads this module, and `message` does.
 *
 * The tabs that share a connection share what it is subscribed to, and each gets every frame. A subscription has its
 * own position and is `live` while every notification after that position arrives here. After a reconnect, and after
 * another subscription ended the topic on the connection, each asks again after its position. The server ignores a
 * second request for a topic. If it started after the position of this one, this one ends the topic and starts it
 * again from there; the others drop what they have already.
 */

import { type Gap, type Notification, RETRYABLE, type Recalled, type ServerFrame } from "../protocol.js";
import type { Emitter } from "./emitter.js";
import type { TidingsError } from "./errors.js";
import type { Frames, Link } from "./link.js";

export { message } from "./replies.js";

/** Milliseconds between acknowledgements. */
const ACK_EVERY = 250;
/** Milliseconds before a request that the server could not carry out is sent again; up to twice as long. */
const RETRY_AFTER = 1_000;

export interface TopicOptions {
  /** Starts after this position. Without it, and without `rewind`, a subscription starts at the topic's end. */
  readonly after?: number;
  /** Starts before the last notifications, up to 200 of them. */
  readonly rewind?: number;
  /** Notifications are lost. After the reason `epoch` the topic goes on from its end. */
  readonly onGap?: (gap: Gap) => void;
  /** A notification was recalled: remove it. */
  readonly onRecalled?: (recalled: Recalled) => void;
  /**
   * The subscription ended: the server refused it (TidingsError with the code `forbidden_topic`, `invalid_topic` or
   * `too_many_topics`), or the module for topics could not be loaded. Without this function the error is one of the
   * page.
   */
  readonly onEnd?: (error: Error) => void;
}

/** Gets each notification once, in order. `replayed`: it is older than the subscription, or was missed. */
export type TopicHandler = (
  notification: Notification,
  at: { readonly position: number; readonly replayed: boolean },
) => void;

const acknowledgers = new WeakMap<Link, Acknowledger>();

/** Subscribes; see `Tidings.subscribe`. The returned function ends the subscription. */
export function subscribe(
  events: Emitter<Frames>,
  link: Link,
  Refused: typeof TidingsError,
  topic: string,
  handler: TopicHandler,
  options: TopicOptions,
): () => void {
  const acknowledger = acknowledgers.get(link) ?? new Acknowledger(link);
  acknowledgers.set(link, acknowledger);
  const subscription = new Subscription(link, acknowledger, topic, handler, options);
  const stops = [
    events.on("status", ({ status }) => status === "connected" && subscription.ask()),
    events.on("frame", (frame) => {
      const refused = subscription.receive(frame.type === "topic" ? frame.frame : frame);
      if (!refused) return;
      stop();
      const error = new Refused(refused.code, refused.detail);
      if (!options.onEnd) throw error;
      options.onEnd(error);
    }),
  ];
  const stop = () => {
    for (const each of stops.splice(0)) each();
  };
  subscription.ask();
  return () => {
    if (stops.length) subscription.end();
    stop();
  };
}

interface Refusal {
  readonly code: string;
  readonly detail: string;
}

class Subscription {
  readonly #link: Link;
  readonly #acknowledger: Acknowledger;
  readonly #topic: string;
  readonly #log: string;
  readonly #handler: TopicHandler;
  readonly #options: TopicOptions;
  /** Everything up to here has arrived, or is reported as lost; undefined before the start. */
  #position: number | undefined;
  /** The store of which the position is; undefined before the start. */
  #epoch: string | undefined;
  #live = false;
  /** The last request, while it has no answer. */
  #asked: { readonly ref: string; readonly again: boolean } | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    link: Link,
    acknowledger: Acknowledger,
    topic: string,
    handler: TopicHandler,
    options: TopicOptions,
  ) {
    this.#link = link;
    this.#acknowledger = acknowledger;
    this.#topic = topic;
    this.#log = `topic:${topic}`;
    this.#handler = handler;
    this.#options = options;
    this.#position = options.after;
  }

  /** Requests the topic from the position on. `again` ends it on the connection before that. */
  ask(again = this.#position === undefined && !!this.#options.rewind && this.#epoch === undefined): void {
    const epoch = this.#link.session.point()?.epoch;
    // Before the first connection. Its status starts the request.
    if (epoch === undefined) return;
    this.#live = false;
    clearTimeout(this.#retry);
    const lost = this.#epoch !== undefined && this.#epoch !== epoch ? this.#position : undefined;
    const rewind = this.#epoch === undefined ? this.#options.rewind : undefined;
    if (lost !== undefined) this.#position = undefined;
    const ref = `topic:${Math.random().toString(36).slice(2)}`;
    this.#asked = { ref, again };
    const topic = this.#topic;
    if (again) this.#send({ type: "unsubscribe", topic });
    const after = this.#position;
    this.#send({ type: "subscribe", topic, ...(after === undefined ? { rewind } : { after }), ref });
    if (lost === undefined) return;
    this.#epoch = epoch;
    const { onGap } = this.#options;
    onGap?.({ type: "gap", log: this.#log, from: 1, to: lost, missed: null, reason: "epoch" });
  }

  /** Handles a frame. Returns the error that ends the subscription. */
  receive(frame: ServerFrame): Refusal | undefined {
    switch (frame.type) {
      case "subscribed":
        if (frame.topic === this.#topic) this.#subscribed(frame.position, frame.ref);
        break;
      case "unsubscribed":
        if (frame.topic !== this.#topic) break;
        if (frame.reason !== undefined)
          return { code: "forbidden_topic", detail: `The token no longer allows ${this.#topic}.` };
        // Another subscription ended the topic on the connection. A request without an answer starts it again.
        if (!this.#asked) this.ask();
        break;
      case "error":
        if (frame.ref !== this.#asked?.ref || !this.#asked) break;
        if (!RETRYABLE.includes(frame.code)) return frame;
        this.#retry = setTimeout(() => this.ask(), RETRY_AFTER * (1 + Math.random()));
        break;
      case "notification":
        if (frame.log !== this.#log || !this.#live || frame.position <= (this.#position ?? 0)) break;
        this.#position = frame.position;
        this.#acknowledger.arrived(this.#log, frame.position);
        this.#handler(frame.notification, { position: frame.position, replayed: frame.replayed ?? false });
        break;
      case "caught_up":
        if (this.#live) this.#advance(frame.positions[this.#log] ?? 0);
        break;
      case "gap":
        if (frame.log !== this.#log || !this.#live) break;
        if (frame.reason === "epoch") this.#position = frame.to;
        else if (frame.to <= (this.#position ?? 0)) break;
        else this.#advance(frame.to);
        this.#options.onGap?.(frame);
        break;
      case "recalled":
        if (frame.log === this.#log) this.#options.onRecalled?.(frame);
        break;
    }
    return undefined;
  }

  end(): void {
    clearTimeout(this.#retry);
    this.#acknowledger.flush();
    // If another subscription needs the topic, it asks again after the answer.
    this.#send({ type: "unsubscribe", topic: this.#topic });
  }

  /** The connection has the topic from a position on, by the request of any subscription. */
  #subscribed(start: number, ref: unknown): void {
    const mine = this.#asked?.ref === ref ? this.#asked : undefined;
    if (mine) this.#asked = undefined;
    const { again = false } = mine ?? {};
    const reaches = this.#position === undefined ? mine !== undefined : start <= this.#position || again;
    if (!this.#live && !reaches) {
      if (mine) this.ask(true);
      return;
    }
    this.#live = true;
    this.#epoch = this.#link.session.point()?.epoch;
    this.#advance(start);
  }

  #advance(position: number): void {
    this.#position = Math.max(this.#position ?? 0, position);
  }

  #send(frame: object): void {
    this.#link.send(JSON.stringify(frame));
  }
}

/** Acknowledges the topics of a connection together. */
class Acknowledger {
  readonly #link: Link;
  #due: Record<string, number> = {};
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(link: Link) {
    this.#link = link;
  }

  arrived(log: string, position: number): void {
    this.#due[log] = position;
    this.#timer ??= setTimeout(() => this.flush(), ACK_EVERY);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const positions = this.#due;
    this.#due = {};
    if (Object.keys(positions).length) this.#link.send(JSON.stringify({ type: "ack", positions }));
  }
}
