/**
 * The topics of a stream of events: a `subscribe` becomes a parameter of the next stream. Pure.
 *
 * One stream has one `rewind`, so topics that start elsewhere wait for the stream after it.
 */

import type { ServerFrame } from "../protocol.js";

interface Topic {
  /** The position up to which it was received; undefined before its start. */
  position: number | undefined;
  readonly rewind: number | undefined;
  /** It was ended before its requests had an answer: the next request decides where it starts. */
  restarts: boolean;
  /** A stream has it, or asks for it. */
  asked: boolean;
  /** The requests without an answer. */
  readonly refs: unknown[];
}

interface Request {
  readonly type: "subscribe" | "unsubscribe";
  readonly topic: string;
  readonly after?: number;
  readonly rewind?: number;
  readonly ref?: unknown;
}

type Frame = ServerFrame | Record<string, unknown>;

const logOf = (topic: string) => `topic:${topic}`;

export class StreamTopics {
  readonly #topics = new Map<string, Topic>();

  /** Whether a topic needs another stream, and the current one has answered all that it was asked for. */
  get waits(): boolean {
    const topics = [...this.#topics.values()];
    return topics.some(({ asked }) => !asked) && !topics.some(({ asked, refs }) => asked && refs.length);
  }

  /** Takes a frame of the client. Returns the answers that need no server. */
  send({ type, topic, after, rewind, ref }: Request): Frame[] {
    const known = this.#topics.get(topic);
    if (type === "unsubscribe") {
      if (known?.refs.length) {
        known.restarts = true;
        return [];
      }
      this.#topics.delete(topic);
      return known ? [{ type: "unsubscribed", topic, ref }] : [];
    }
    if (!known || known.restarts) {
      const refs = [...(known?.refs ?? []), ref];
      this.#topics.set(topic, { position: after, rewind, restarts: false, asked: false, refs });
      return [];
    }
    if (known.refs.length || known.position === undefined) {
      known.refs.push(ref);
      return [];
    }
    return [{ type: "subscribed", topic, log: logOf(topic), position: known.position, ref }];
  }

  /** The parameters of the next stream. */
  ask(): { topics: string[]; rewind: number | undefined; positions: Record<string, number> } {
    const positions: Record<string, number> = {};
    const topics: string[] = [];
    const waiting = [...this.#topics.values()].find(({ position }) => position === undefined);
    for (const [name, topic] of this.#topics) {
      topic.asked = topic.position !== undefined || topic.rewind === waiting?.rewind;
      if (!topic.asked) continue;
      topics.push(name);
      if (topic.position !== undefined) positions[logOf(name)] = topic.position;
    }
    return { topics, rewind: waiting?.rewind, positions };
  }

  /**
   * Takes a frame of the server. Returns the frames for the client.
   *
   * A topic that was ended and requested again waits for the next stream. Until then the old stream moves no position
   * of it, and starts nothing; those who still have the old subscription get what it sends.
   */
  receive(frame: ServerFrame): Frame[] {
    const { topic, log, ref } = frame as unknown as Record<string, unknown>;
    switch (frame.type) {
      case "subscribed": {
        const known = this.#current(topic);
        if (!known) return [];
        known.position = Math.max(known.position ?? 0, frame.position);
        return this.#answered(known).map((ref) => ({ ...frame, ref }));
      }
      case "unsubscribed":
        if (!this.#current(topic)) return [];
        this.#topics.delete(frame.topic);
        break;
      case "error": {
        const [, name] = /^topic:(.+)/.exec(String(ref)) ?? [];
        const known = this.#current(name);
        if (!known) break;
        this.#topics.delete(String(name));
        return this.#answered(known).map((ref) => ({ ...frame, ref }));
      }
      case "notification":
        this.#move(log, frame.position);
        break;
      case "gap":
        this.#move(log, frame.to);
        break;
      case "caught_up":
        for (const [log, position] of Object.entries(frame.positions)) this.#move(log, position);
        break;
    }
    return [frame];
  }

  /** A topic of the current stream. */
  #current(name: unknown): Topic | undefined {
    const topic = this.#topics.get(String(name));
    return topic?.asked ? topic : undefined;
  }

  #move(log: unknown, position: number): void {
    const [, name] = /^topic:(.+)/.exec(String(log)) ?? [];
    const known = this.#current(name);
    if (known) known.position = position;
  }

  /** Empties the list of requests. A stream that continues answers without a request. */
  #answered({ refs }: Topic): unknown[] {
    const all = refs.splice(0);
    return all.length ? all : [undefined];
  }
}
