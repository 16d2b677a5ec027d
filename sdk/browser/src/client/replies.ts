/** Messages to the application, which wait for their reply. */

import type { ServerFrame } from "../protocol.js";
import type { Emitter } from "./emitter.js";
import type { TidingsError } from "./errors.js";
import type { Frames, Link } from "./link.js";
import type { StatusChange } from "./types.js";

/** Milliseconds for a reply: several reconnects, and the 5 seconds of the application. */
const REPLY_WITHIN = 30_000;

type Failed = typeof TidingsError;

/** Sends a message to the application; see `Tidings.message`. */
export function message(
  events: Emitter<Frames>,
  link: Link,
  Failed: Failed,
  now: StatusChange,
  event: string,
  data: unknown,
): Promise<unknown> {
  const ref = reference();
  // With the same key, a message that is sent again has the same id for the application.
  const frame = { type: "message", event, data, ref, idempotency_key: ref };
  return ask(
    events,
    link,
    Failed,
    now,
    frame,
    REPLY_WITHIN,
    (reply) => reply.type === "reply" && [reply.data],
  );
}

function reference(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

/**
 * Sends a frame with a `ref`, and again after each reconnect until it is answered. `read` returns the answer in a
 * list, and something else for a frame that is none.
 */
async function ask<Answer>(
  events: Emitter<Frames>,
  link: Link,
  Failed: Failed,
  now: StatusChange,
  asked: { readonly ref: string },
  milliseconds: number,
  read: (frame: ServerFrame) => readonly [Answer] | false | undefined,
): Promise<Answer> {
  const stops: (() => void)[] = [];
  try {
    return await new Promise((resolve, reject) => {
      const fail = (code: string, detail: string) => reject(new Failed(code, detail));
      const follow = ({ status, transport }: StatusChange) => {
        if (transport === "sse") fail("no_websocket", "A stream of events carries no messages");
        else if (status === "connected") link.send(JSON.stringify(asked));
        else if (status === "idle" || status === "stopped") fail("unanswered", "The client has stopped");
      };
      const timer = setTimeout(fail, milliseconds, "unanswered", "No answer");
      stops.push(
        () => clearTimeout(timer),
        events.on("status", follow),
        events.on("frame", (frame) => {
          if (frame.type === "topic" || !("ref" in frame) || frame.ref !== asked.ref) return;
          const answer = read(frame);
          if (answer) resolve(answer[0]);
          else if (frame.type === "error") fail(frame.code, frame.detail);
        }),
      );
      follow(now);
    });
  } finally {
    for (const stop of stops) stop();
  }
}
