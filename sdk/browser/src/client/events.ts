/**
 * A connection by server-sent events, with the interface of a WebSocket.
 *
 * Frames of the server are events of a stream. Frames of the client become requests of the API, or another stream
 * that continues where this one is. It tries WebSockets again, with growing pauses: the first one that is welcomed
 * takes the stream's place. Both resume from the positions of the session, which drops what arrives twice.
 */

import { type Problem, type ServerFrame, SUBPROTOCOL } from "../protocol.js";
import { type Block, blocks } from "./blocks.js";
import { within } from "./clock.js";
import { StreamTopics } from "./stream-topics.js";
import type { Clock, Socket, SocketConstructor, Transport } from "./types.js";

/** Milliseconds to the first try of a WebSocket. Each further pause doubles, up to LAST. Half of each is random. */
const FIRST = 5_000;
const LAST = 300_000;
/** Milliseconds that a WebSocket has until its welcome, as in `connection.ts`. */
const OPEN_WITHIN = 10_000;
/** Milliseconds. The server sends something every 15 seconds: after a longer silence the stream is opened again. */
const SILENT_AFTER = 20_000;
/** Milliseconds between acknowledgements. Each is a request. */
const ACK_EVERY = 1_000;
const ANSWER_WITHIN = 30_000;
/** Milliseconds in which frames about topics are collected. */
const SOON = 20;
const REPLACED = 4003;
/** The close codes of refusals that another try does not change. Any other answer can be one of a proxy. */
const CODES: Readonly<Record<string, number>> = {
  missing_token: 4001,
  invalid_token: 4001,
  origin_refused: 4004,
  insufficient_scope: 4007,
  overloaded: 4102,
  storage_unavailable: 4102,
  expired_token: 4200,
};

interface Connect {
  token: string;
  readonly device?: string;
  readonly resume?: { readonly epoch: string; readonly positions: object };
}

export class EventSocket implements Socket {
  readyState = 0;
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;
  transport: Transport | undefined = "sse";
  readonly #address: string;
  readonly #connect: () => string;
  readonly #webSocket: SocketConstructor;
  readonly #url: string;
  readonly #clock: Clock;
  readonly #topics = new StreamTopics();
  /** The latest token: a `refresh` is newer than the session's. */
  #token = "";
  #device: string | undefined;
  #stream: AbortController | undefined;
  #receivedAt = 0;
  #reopening: unknown;
  #due: Record<string, number> = {};
  #acks: unknown;
  /** The WebSocket that is tried, or that took the stream's place. */
  #socket: Socket | undefined;
  #probe: unknown;
  #pause = FIRST;
  /** How the stream was replaced while a WebSocket was tried. */
  #ending: { code: number; reason: string } | undefined;

  /**
   * `address`: of the WebSocket. `connect` returns the `connect` frame that continues where the session is. `url`: of
   * the API.
   */
  constructor(
    address: string,
    connect: () => string,
    webSocket: SocketConstructor,
    url: string,
    clock: Clock,
  ) {
    this.#address = address;
    this.#connect = connect;
    this.#webSocket = webSocket;
    this.#url = url;
    this.#clock = clock;
    // As with a WebSocket, the caller sets the handlers first.
    clock.setTimeout(() => {
      if (this.readyState) return;
      this.readyState = 1;
      call(this.onopen, {});
    }, 0);
  }

  send(text: string): void {
    if (!this.transport) {
      this.#socket?.send(text);
      return;
    }
    const frame = JSON.parse(text);
    switch (frame.type) {
      case "connect":
        this.#token = frame.token;
        this.#device = frame.device;
        void this.#open(frame);
        this.#probeLater();
        break;
      case "ack":
        Object.assign(this.#due, frame.positions);
        this.#acks ??= this.#clock.setTimeout(() => this.#acknowledge(), ACK_EVERY);
        break;
      case "refresh":
        this.#token = frame.token;
        void this.#open();
        break;
      case "ping":
        if (this.#clock.now() - this.#receivedAt < SILENT_AFTER) this.#emit({ type: "pong" });
        else void this.#open();
        break;
      case "subscribe":
      case "unsubscribe":
        this.#answer(this.#topics.send(frame));
        this.#reopenSoon();
        break;
      default:
        // A mark that was sent before this connection. Its sender repeats it by REST.
        this.#emit({ type: "error", code: "overloaded", detail: "Not on this connection", ref: frame.ref });
    }
  }

  close(code?: number): void {
    if (!this.transport) {
      this.#socket?.close(code);
    } else {
      this.#acknowledge();
      this.#end(code ?? 1006, "");
    }
  }

  /** Opens a stream from the session's positions on, and ends the one before. */
  async #open(connect: Connect = JSON.parse(this.#connect())): Promise<void> {
    const clock = this.#clock;
    clock.clearTimeout(this.#reopening);
    this.#reopening = undefined;
    this.#stream?.abort();
    const stream = new AbortController();
    this.#stream = stream;
    const address = new URL(this.#address.replace(/^ws/, "http"));
    address.pathname += "/events";
    const headers: Record<string, string> = { Authorization: `Bearer ${this.#token}` };
    const { resume } = connect;
    if (this.#device) address.searchParams.set("device", this.#device);
    const { topics, rewind, positions } = this.#topics.ask();
    if (topics.length) address.searchParams.set("topics", topics.join());
    if (rewind) address.searchParams.set("rewind", `${rewind}`);
    if (resume)
      headers["Last-Event-ID"] = JSON.stringify({
        ...resume,
        positions: { ...resume.positions, ...positions },
      });
    let [code, reason] = [1006, ""];
    try {
      const response = await fetch(address, { headers, cache: "no-store", signal: stream.signal });
      if (response.ok && response.body) {
        for await (const block of blocks(response.body, () => this.#arrived(stream))) {
          if (stream !== this.#stream) return;
          if (block.event === "close") {
            ({ code, reason } = JSON.parse(block.data));
            break;
          }
          this.#receive(block);
        }
      } else {
        const problem = (await response.json()) as Partial<Problem>;
        code = CODES[problem.code ?? ""] ?? code;
        reason = problem.detail ?? "";
      }
    } catch {
      // A network error, or an answer of another program.
    }
    if (stream === this.#stream) this.#ended(code, reason);
  }

  #arrived(stream: AbortController): void {
    if (stream === this.#stream) this.#receivedAt = this.#clock.now();
  }

  #receive({ data }: Block): void {
    const frame = JSON.parse(data) as ServerFrame;
    for (const each of this.#topics.receive(frame))
      this.#emit(each.type === "welcome" ? { ...each, transport: this.transport } : each);
    if (this.#topics.waits) this.#reopenSoon();
  }

  /** If a tenant allows one session per user, a WebSocket that is tried replaces the stream. Its welcome follows. */
  #ended(code: number, reason: string): void {
    if (this.#socket && code === REPLACED) this.#ending = { code, reason };
    else this.#end(code, reason);
  }

  #end(code: number, reason: string): void {
    const clock = this.#clock;
    if (this.readyState === 3) return;
    this.readyState = 3;
    for (const timer of [this.#probe, this.#acks, this.#reopening]) clock.clearTimeout(timer);
    this.#stream?.abort();
    this.#stream = undefined;
    this.#socket?.close();
    clock.setTimeout(() => call(this.onclose, { code, reason }), 0);
  }

  #emit(frame: object): void {
    call(this.onmessage, { data: JSON.stringify(frame) });
  }

  /** As late as a server, because a subscription may send two frames, and others react to the answer to the first. */
  #answer(frames: readonly object[]): void {
    if (frames.length)
      this.#clock.setTimeout(() => {
        for (const frame of frames) this.#emit(frame);
      }, SOON);
  }

  /** Opens a stream with the topics that were asked for in this moment, all together. */
  #reopenSoon(): void {
    this.#reopening ??= this.#clock.setTimeout(() => void this.#open(), SOON);
  }

  #acknowledge(): void {
    const clock = this.#clock;
    clock.clearTimeout(this.#acks);
    this.#acks = undefined;
    const positions = this.#due;
    this.#due = {};
    if (!Object.keys(positions).length) return;
    // If it fails, the next connection acknowledges these positions: `resume` names them.
    within(clock, ANSWER_WITHIN, "", (signal) =>
      fetch(`${this.#url}/v1/me/ack`, {
        method: "POST",
        headers: { Authorization: `Bearer ${this.#token}`, "Content-Type": "application/json" },
        body: JSON.stringify({ positions, device: this.#device }),
        keepalive: true,
        signal,
      }),
    ).catch(() => undefined);
  }

  /** Tries a WebSocket after a pause. */
  #probeLater(): void {
    const clock = this.#clock;
    const pause = (this.#pause * (1 + clock.random())) / 2;
    this.#pause = Math.min(LAST, this.#pause * 2);
    this.#probe = clock.setTimeout(() => this.#tryWebSocket(), pause);
  }

  #tryWebSocket(): void {
    const clock = this.#clock;
    let socket: Socket;
    try {
      socket = new this.#webSocket(this.#address, [SUBPROTOCOL]);
    } catch {
      this.#probeLater();
      return;
    }
    this.#socket = socket;
    const failed = () => {
      if (this.#socket !== socket || this.readyState === 3) return;
      this.#socket = undefined;
      clock.clearTimeout(late);
      socket.close();
      if (this.#ending) this.#end(this.#ending.code, this.#ending.reason);
      else this.#probeLater();
    };
    const late = clock.setTimeout(failed, OPEN_WITHIN);
    socket.onopen = () => socket.send(JSON.stringify({ ...JSON.parse(this.#connect()), token: this.#token }));
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      if (this.readyState === 3 || this.#socket !== socket) return;
      clock.clearTimeout(late);
      for (const timer of [this.#acks, this.#reopening]) clock.clearTimeout(timer);
      this.#stream?.abort();
      this.#stream = undefined;
      this.transport = undefined;
      socket.onmessage = (event) => call(this.onmessage, event);
      socket.onclose = (event) => {
        this.readyState = 3;
        call(this.onclose, event);
      };
      call(this.onmessage, { data });
    };
    socket.onclose = socket.onerror = failed;
  }
}

/** Calls a handler of a socket. Its types are those of the browser's events. */
function call(handler: ((event: never) => void) | null, event: object): void {
  handler?.(event as never);
}
