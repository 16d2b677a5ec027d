/** A real server for tests, and an application that uses it. */

import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, statfsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { UserToken } from "../../src/client/index.js";
import { freePorts } from "./ports.js";

const COMMAND = new URL("../../../../.venv/bin/tidings-server", import.meta.url).pathname;

const SCOPE = "send read groups users tokens tenant webhooks";

/** Stores keep their files in memory where there is room: a busy disk would stop them for seconds. */
const IN_MEMORY = roomInMemory() >= 4 * 2 ** 30;

function roomInMemory(): number {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize;
  } catch {
    return 0;
  }
}

/** The line that the server prints when it is ready. */
export interface Ready {
  readonly api: string;
  readonly realtime: string;
  readonly key: string;
}

/** `tidings-server dev` on its own ports. It keeps the ports and its data over `kill` and `start`. */
export class Server {
  ready: Ready | undefined;
  #process: ChildProcess | undefined;
  #ports: number[] = [];
  readonly #data = mkdtempSync(join(IN_MEMORY ? "/dev/shm" : tmpdir(), "tidings-"));

  async start(): Promise<Ready> {
    if (!this.#ports.length) this.#ports = await freePorts(3);
    const [api, realtime, operator] = this.#ports.map(String) as [string, string, string];
    const child = spawn(
      COMMAND,
      [
        ...["dev", "--json", "--data", this.#data],
        ...["--port", api, "--realtime-port", realtime, "--operator-port", operator],
      ],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    this.#process = child;
    for await (const line of createInterface({ input: child.stdout })) {
      this.ready = JSON.parse(line) as Ready;
      return this.ready;
    }
    throw new Error("the server did not come up");
  }

  /** Runs an operator's command on its store, such as `tenants update`. */
  async operate(...command: string[]): Promise<void> {
    const child = spawn(COMMAND, [...command, "--data", this.#data], { stdio: "ignore" });
    const [code] = await once(child, "exit");
    if (code !== 0) throw new Error(`${command.join(" ")}: ${code}`);
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.#data, { recursive: true, force: true });
  }
}

/** An application with the key of a tenant. */
export class Application {
  readonly #ready: Ready;

  constructor(ready: Ready) {
    this.#ready = ready;
  }

  get api(): string {
    return this.#ready.api;
  }

  /** Returns a new topic for a test. Every user may subscribe to it. */
  topic(): string {
    return `news/${randomUUID().slice(0, 8)}`;
  }

  /** Returns a new user for a test. */
  user(): string {
    return `user-${randomUUID().slice(0, 8)}`;
  }

  async token(user: string, expiresIn = 3600): Promise<UserToken> {
    const asked = { user, expires_in: expiresIn, topics: ["news/**"] };
    return (await this.request("POST", "/v1/tokens", asked)) as UserToken;
  }

  /** Returns an expired token of a user. */
  expiredToken(user: string): string {
    return this.#sign(user, "inbox", -60);
  }

  /** Sends to one user. Resolves with the id when the notification is in the inbox. */
  async send(user: string, title: string, more: object = {}): Promise<string> {
    const sent = await this.request("POST", "/v1/notifications", { to: { users: [user] }, title, ...more });
    return (sent as { id: string }).id;
  }

  async sendMany(user: string, titles: readonly string[]): Promise<void> {
    const notifications = titles.map((title) => ({ to: { users: [user] }, title }));
    await this.request("POST", "/v1/notifications/batch", { notifications });
  }

  /** Sends to a topic. Resolves with the id when the topic has the notification. */
  async publish(topic: string, title: string): Promise<string> {
    const sent = await this.request("POST", "/v1/notifications", { to: { topics: [topic] }, title });
    return (sent as { id: string }).id;
  }

  async connections(user: string): Promise<number> {
    const presence = await this.request("GET", `/v1/users/${user}/presence`);
    return (presence as { connections: unknown[] }).connections.length;
  }

  async request(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(this.#ready.api + path, {
      method,
      headers: {
        Authorization: `Bearer ${this.#sign("tests", SCOPE, 600)}`,
        "Content-Type": "application/json",
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  }

  #sign(sub: string, scope: string, seconds: number): string {
    const [tenant, kid, secret] = this.#ready.key.split(".") as [string, string, string];
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: tenant, sub, aud: "tidings", iat: now - 600, exp: now + seconds, scope };
    const signed = [{ alg: "HS256", kid, typ: "JWT" }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
  }
}
