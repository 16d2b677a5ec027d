/** A gateway on a real socket whose behavior the test defines. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket as NodeSocket, type WebSocket, WebSocketServer } from "ws";
import { type SocketConstructor, Tidings, type TidingsOptions } from "../../src/client/index.js";

export interface Received {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The server's side of one connection. */
export class Peer {
  readonly received: Received[] = [];
  /** Handles a frame. Default: the frame is kept. */
  receive: (frame: Received) => void = (frame) => this.received.push(frame);
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (data) => this.receive(JSON.parse(String(data))));
  }

  send(...frames: (object | string | Buffer)[]): void {
    for (const frame of frames) {
      const raw = typeof frame === "string" || Buffer.isBuffer(frame);
      this.#socket.send(raw ? frame : JSON.stringify(frame));
    }
  }

  close(code: number, reason = ""): void {
    this.#socket.close(code, reason);
  }

  /** Drops the connection without a close frame, as a crashed machine does. */
  cut(): void {
    this.#socket.terminate();
  }
}

/** Listens on its own port, and passes each connection to `serve`. */
export class Gateway {
  readonly peers: Peer[] = [];
  /** Handles a connection. Default: it sends a welcome. */
  serve: (peer: Peer) => void = (peer) => peer.send(welcome());
  /** Answers a handshake with this status instead. */
  refuse: number | undefined;
  handshakes = 0;
  readonly #http: Server = createServer();
  readonly #sockets = new WebSocketServer({ noServer: true });

  async start(): Promise<void> {
    this.#http.on("upgrade", (request: IncomingMessage, socket, head) => {
      this.handshakes++;
      // Clients may drop the connection without a close frame.
      socket.on("error", () => undefined);
      if (this.refuse !== undefined) {
        socket.end(`HTTP/1.1 ${this.refuse} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (accepted) => {
        const peer = new Peer(accepted);
        this.peers.push(peer);
        accepted.once("message", () => this.serve(peer));
      });
    });
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, "close");
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#http.address() as AddressInfo).port}/v1/realtime`;
  }

  /** Makes a client of this gateway. There is no API. */
  client(options: Partial<TidingsOptions> = {}): Tidings {
    return new Tidings({
      url: "http://127.0.0.1:9",
      token: async () => token(),
      realtimeUrl: this.url,
      webSocket: NodeSocket as unknown as SocketConstructor,
      ...options,
    });
  }
}

/** A token that the client can read. This gateway does not verify it. */
export function token(sub = "ana", seconds = 3_600): string {
  const claims = { iss: "demo", sub, exp: Math.floor(Date.now() / 1_000) + seconds };
  return `head.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;
}

export function welcome(more: object = {}): object {
  return {
    type: "welcome",
    connection: "c",
    user: "ana",
    epoch: "e1",
    positions: { user: 0, all: 0 },
    counts: { unseen: 0, unread: 0, version: 0 },
    heartbeat: 25,
    expires_at: "2099-01-01T00:00:00.000Z",
    resume: "none",
    state_version: 0,
    ...more,
  };
}

export function delivered(position: number, more: object = {}): object {
  const notification = { id: `n${position}`, priority: "normal", created_at: "2026-11-22T07:00:00.000Z" };
  return { type: "notification", log: "user", position, notification, ...more };
}
