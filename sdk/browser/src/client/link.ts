/** The parts of a client that its further modules use. */

import type { ServerFrame } from "../protocol.js";
import type { OfTopic } from "./session.js";
import type { Events } from "./types.js";

/** The events of a client inside: also each frame of the server. */
export interface Frames extends Events {
  frame: ServerFrame | OfTopic;
}

/** The part of a shared connection that modules use. `send` drops a frame while there is no connection. */
export interface Link {
  readonly session: { point(): { readonly epoch: string } | undefined };
  send(frame: string): void;
}
