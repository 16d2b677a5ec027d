/** Help for a client without a connection: polling, and another transport. It is loaded when that lasts a while. */

import { EventSocket } from "./events.js";
import { poll } from "./poll.js";
import type { Tokens } from "./tokens.js";
import type { Clock, Inbox, Page, Socket, SocketConstructor } from "./types.js";

/** Opens a socket. `address` and `webSocket` are those of a WebSocket, `connect` returns the first frame. */
export type Fallback = (address: string, connect: () => string, webSocket: SocketConstructor) => Socket;

/**
 * Gives a shared connection the transport for networks that block WebSockets. Returns the switch of a poll for what a
 * connection would send: the counts, and with `reload` that lists are later than the one that was `listed` last.
 */
export function start(
  connection: { fallback?: Fallback },
  url: string,
  tokens: Tokens,
  clock: Clock,
  client: Pick<Inbox, "list">,
  listed: () => Page | undefined,
  reload: () => void,
): (on: boolean) => void {
  connection.fallback = (address, connect, webSocket) =>
    new EventSocket(address, connect, webSocket, url, clock);
  // Without a token the connection requests one itself.
  return poll(clock, async () => {
    if (!tokens.kept) return;
    const known = listed()?.counts.version ?? 0;
    const { counts } = await client.list({ limit: 1 });
    if (counts.version > known) reload();
  });
}
