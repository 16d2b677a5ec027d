/** The client of Tidings for browsers, and for Node with a WebSocket passed in. */

export { TidingsError } from "./errors.js";
export { Tidings } from "./tidings.js";
export type { TopicHandler, TopicOptions } from "./topics.js";
export type * from "./types.js";
