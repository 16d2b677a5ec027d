/** The client's public types. Data has the names of the protocol; see `../protocol.ts`. */

import type {
  Counts,
  Expired,
  Gap,
  InboxItem,
  InboxPage,
  Marked,
  Recalled,
  State,
  UsedAction,
} from "../protocol.js";

export type {
  CategoryCounts,
  Counts,
  Expired,
  Gap,
  Marked,
  Notification,
  Recalled,
  ReceivedAction,
  State,
  UsedAction,
} from "../protocol.js";

/** One notification of the inbox with its state. It is immutable: a change makes a new object. */
export type Item = InboxItem;

/** A page of the inbox, newest first. `next` and `previous` are cursors; null at the end and the start. */
export type Page = InboxPage;

/**
 * The status of the connection. `idle`: before `connect()` and after `close()`. `offline`: the client reconnects
 * automatically. `stopped`: the client does not reconnect until `connect()`, because of `logout()`, or because the
 * server or the application's token endpoint refused the user.
 */
export type Status = "idle" | "connecting" | "connected" | "offline" | "stopped";

/** How a client is connected: by server-sent events where the network blocks WebSockets. */
export type Transport = "websocket" | "sse";

/** A change of status and its reason. */
export interface StatusChange {
  readonly status: Status;
  /** With `connected`. The client changes to a WebSocket when one works: then this changes alone. */
  readonly transport?: Transport | undefined;
  /** With `offline`: milliseconds until the next attempt. */
  readonly retryIn?: number;
  /** The server's close code; undefined without one. */
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
  /** The error of the token source; on following tabs its text. */
  readonly error?: unknown;
}

/** A received notification: once per tab, in order within its log. */
export interface Arrival {
  readonly item: Item;
  /** It was sent while this client was not connected. */
  readonly replayed: boolean;
}

/** A change of state of items, on this or another tab or device. */
export interface StateChanges {
  /** The changed items with their new state. Only items that this client knows: the latest 10,000 at most. */
  readonly items: readonly Item[];
  /** `items` is incomplete: list the inbox again. */
  readonly reload: boolean;
  /** The change is of this tab and has no answer yet. If the server refuses it, another change takes it back. */
  readonly optimistic: boolean;
}

export interface Events {
  notification: Arrival;
  counts: Counts;
  state: StateChanges;
  recalled: Recalled;
  /** Notifications are missing. With the reason `epoch` all lists are out of date as well. */
  gap: Gap;
  /** Notifications that expired while this client was not connected. They are not in the inbox, and count as no loss. */
  expired: Expired;
  status: StatusChange;
}

/** The answer of `POST /v1/tokens`, as the application's own endpoint returns it. */
export interface UserToken {
  readonly token: string;
  readonly expires_at?: string;
  readonly realtime_url?: string;
}

/**
 * Requests a token for the current user from the application. It returns the token, the answer of
 * `POST /v1/tokens`, or a `Response` with the token as text or the answer as JSON. Null, or a `Response` with status 401 or 403, means
 * that no user is logged in: the client stops. After any other failure the client tries again. `signal` aborts
 * after 10 seconds: pass it to `fetch`.
 */
export type TokenSource = (signal: AbortSignal) => Promise<string | UserToken | Response | null>;

/** The point up to which a client has received everything. */
export interface ResumePoint {
  readonly epoch: string;
  readonly positions: Readonly<Record<string, number>>;
  readonly state_version: number;
}

/** Stores the resume point of each user between visits. The client ignores its errors. */
export interface ResumeStorage {
  get(key: string): Promise<ResumePoint | undefined>;
  set(key: string, point: ResumePoint): Promise<void>;
  delete(key: string): Promise<void>;
}

/** The part of the WebSocket interface that the client uses. */
export interface Socket {
  readonly readyState: number;
  /** Of a WebSocket undefined. */
  readonly transport?: Transport | undefined;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketConstructor = new (url: string, protocols?: string[]) => Socket;

/** Time and randomness, for tests. `now`: milliseconds since 1970. `random`: from 0 to below 1. */
export interface Clock {
  now(): number;
  random(): number;
  setTimeout(run: () => void, milliseconds: number): unknown;
  clearTimeout(timer: unknown): void;
}

export interface TidingsOptions {
  /** The address of the API, such as `https://notify.example`. */
  readonly url: string;
  readonly token: TokenSource;
  /** The address of the gateway. Default: the one in the token's answer, or else `/v1/realtime` beside the API. */
  readonly realtimeUrl?: string;
  /** A name of the device, 1 to 64 characters as in ids. With it the server stores the device's position as well. */
  readonly device?: string;
  /** Default: IndexedDB. Without any storage, a resume is possible only while this client exists. */
  readonly storage?: ResumeStorage;
  /** Default: the page's own. */
  readonly webSocket?: SocketConstructor;
  /** Whether all tabs of a user share one connection. Default: true. */
  readonly shared?: boolean;
  readonly clock?: Clock;
}

/** The filters of a list. A `category` with a final dot matches all categories that begin with it. */
export interface ListQuery {
  readonly state?: "unseen" | "seen" | "unread" | "read" | "archived" | "snoozed";
  readonly category?: string;
  readonly log?: string;
  readonly after?: string;
  readonly before?: string;
  /** As `after`, but inclusive. */
  readonly since?: string;
  /** As `before`. */
  readonly until?: string;
  /** `category`: the answer has the counts by category as well. */
  readonly counts?: "category";
  /** 1 to 200. Default: 50. */
  readonly limit?: number;
  /** `next` or `previous` of a page with the same filters. */
  readonly cursor?: string;
  readonly signal?: AbortSignal;
}

/** The notifications that a mark names, in exactly one of these ways. */
export type Marking =
  | { readonly ids: readonly string[] }
  | { readonly upTo: Readonly<Record<string, number>> }
  | { readonly all: true; readonly category?: string };

/** The client, as widgets use it. */
export interface Inbox {
  readonly status: Status;
  /** The newest counts, including marks without an answer; undefined before the first counts. */
  readonly counts: Counts | undefined;
  readonly user: string | undefined;
  /**
   * The number of missed notifications, by all gaps since the start: null if the number is unknown, undefined if
   * none is missed.
   */
  readonly missed: number | null | undefined;
  /** True on exactly one of the tabs that share a connection. Let that one play sounds. */
  readonly leads: boolean;
  connect(): void;
  close(): Promise<void>;
  logout(): Promise<void>;
  on<Name extends keyof Events>(event: Name, handler: (value: Events[Name]) => void): () => void;
  list(query?: ListQuery): Promise<Page>;
  mark(state: State, what: Marking): Promise<Marked>;
  /** Hides notifications until a time; null ends a snooze now. */
  snooze(ids: readonly string[], until: Date | string | null): Promise<Marked>;
  /** Uses an action of a notification. Throws `action_used` if the user used another one. */
  act(id: string, action: string): Promise<UsedAction>;
  /** Resets `missed`. Call it when the user has seen the notice. */
  forgetMissed(): void;
}
