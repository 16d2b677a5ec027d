/** Help for a client without a connection: polling, and another transport. It is loaded when that lasts a while. */

import { EventSocket } from "./events.js";
import { poll } from "./poll.js";
import type { Tokens } from "./tokens.js";
import type { Clock, Socket, SocketConstructor } from "./types.js";

/** Opens a socket. `address` and `webSocket` are those of a WebSocket, `connect` returns the first frame. */
export type Fallback = (address: string, connect: () => string, webSocket: SocketConstructor) => Socket;

/** Gives a shared connection the transport for networks that block WebSockets. Returns the switch of `poll`. */
export function start(
  connection: { fallback?: Fallback },
  url: string,
  tokens: Tokens,
  clock: Clock,
  ask: () => Promise<void>,
): (on: boolean) => void {
  connection.fallback = (address, connect, webSocket) =>
    new EventSocket(address, connect, webSocket, url, clock);
  // Without a token the connection requests one itself.
  return poll(clock, async () => {
    if (tokens.kept) await ask();
  });
}
