import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * How the proxy handles the handshake of a WebSocket. `refuse`: it answers 403. `swallow`: it answers nothing.
 * `break`: it passes the handshake on, and cuts the connection at the first frame. `pass`: it does nothing.
 */
export type Mode = "refuse" | "swallow" | "break" | "pass";

/** A proxy between clients and a gateway, as networks have them. Requests without an upgrade always pass. */
export class BlockingProxy {
  mode: Mode = "pass";
  /** The streams of events that were requested through it. */
  streams = 0;
  readonly #gateway: URL;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#accept(socket));

  constructor(realtime: string) {
    this.#gateway = new URL(realtime);
  }

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/realtime`;
  }

  /** Cuts all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(socket: Socket): void {
    this.#keep(socket);
    // A browser asks first by OPTIONS, on the same connection.
    socket.on("data", (data) => {
      if (data.includes("GET /v1/realtime/events")) this.streams++;
    });
    let head = "";
    const read = (data: Buffer) => {
      head += data.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", read);
      const upgrades = /\r\nupgrade: websocket\r\n/i.test(head);
      if (upgrades && this.mode === "refuse") {
        socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      } else if (!upgrades || this.mode !== "swallow") {
        this.#pass(socket, head, upgrades && this.mode === "break");
      }
    };
    socket.on("data", read);
  }

  #pass(socket: Socket, head: string, breaks: boolean): void {
    const gateway = this.#keep(connect(Number(this.#gateway.port), this.#gateway.hostname));
    gateway.write(head, "latin1");
    gateway.pipe(socket);
    socket.on("close", () => gateway.destroy());
    gateway.on("close", () => socket.destroy());
    if (breaks) socket.on("data", () => socket.destroy());
    else socket.pipe(gateway);
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    return socket.on("error", () => undefined);
  }
}
