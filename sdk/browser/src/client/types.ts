/** The client's public types. Data keeps the names that it has on the wire; see `../protocol.ts`. */

import type { Counts, Expired, Gap, InboxItem, InboxPage, Marked, Recalled, State } from "../protocol.js";

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
} from "../protocol.js";

/** One notification of the inbox with its state. Never changed in place: a change makes a new one. */
export type Item = InboxItem;

/** A page of the inbox, newest first. `next` and `previous` are cursors, null at the ends. */
export type Page = InboxPage;

/**
 * How it stands with the connection: `idle` before `connect()` and after `close()`; `connecting`;
 * `connected`; `offline`, which is tried again by itself; `stopped` for good, until `connect()`: by
 * `logout()`, or because the server or the application's token endpoint said to stay away.
 */
export type Status = "idle" | "connecting" | "connected" | "offline" | "stopped";

/** A change of status, and why. */
export interface StatusChange {
  readonly status: Status;
  /** With `offline`: milliseconds until the next try. */
  readonly retryIn?: number;
  /** The close code that ended the connection, where the server gave one. */
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
  /** What the token source threw; on tabs that follow, its text. */
  readonly error?: unknown;
}

/** A notification arrived, once per tab, in order within its log. */
export interface Arrival {
  readonly item: Item;
  /** It was missed while away and comes late. */
  readonly replayed: boolean;
}

/** The state of items changed, here or on another tab or device. */
export interface StateChanges {
  /** The changed items as they are now: of those that this client listed or received, 10,000 at most. */
  readonly items: readonly Item[];
  /** More changed than can be told: list the inbox again. */
  readonly reload: boolean;
  /** Made on this tab and not answered yet. What the server refuses comes back in another change. */
  readonly optimistic: boolean;
}

export interface Events {
  notification: Arrival;
  counts: Counts;
  state: StateChanges;
  recalled: Recalled;
  /** Something is missing; with the reason `epoch` also everything that was listed. */
  gap: Gap;
  /** What ended by its own expiry while this client was away: no loss, and no longer in the inbox. */
  expired: Expired;
  status: StatusChange;
}

/** The answer of `POST /v1/tokens`, as the application's own endpoint passes it on. */
export interface UserToken {
  readonly token: string;
  readonly expires_at?: string;
  readonly realtime_url?: string;
}

/**
 * Asks the application for a token of whoever is logged in: the token, the answer of `POST /v1/tokens`,
 * or the `Response` that holds either as JSON. Null, or a `Response` of 401 or 403, says that nobody is
 * logged in: the client stops. Anything else that fails is tried again. `signal` aborts where no answer
 * comes within 10 seconds: pass it to `fetch`.
 */
export type TokenSource = (signal: AbortSignal) => Promise<string | UserToken | Response | null>;

/** A server's state of affairs as a client left it. */
export interface ResumePoint {
  readonly epoch: string;
  readonly positions: Readonly<Record<string, number>>;
  readonly state_version: number;
}

/** Where the resume point of each user is kept between visits. What it throws is passed over. */
export interface ResumeStorage {
  get(key: string): Promise<ResumePoint | undefined>;
  set(key: string, point: ResumePoint): Promise<void>;
  delete(key: string): Promise<void>;
}

/** The part of a WebSocket that the client uses. */
export interface Socket {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketConstructor = new (url: string, protocols?: string[]) => Socket;

/** Time and chance, for tests. `now` in milliseconds since 1970, `random` from 0 up to 1. */
export interface Clock {
  now(): number;
  random(): number;
  setTimeout(run: () => void, milliseconds: number): unknown;
  clearTimeout(timer: unknown): void;
}

export interface TidingsOptions {
  /** Where the API is, such as `https://notify.example`. */
  readonly url: string;
  readonly token: TokenSource;
  /** Where to connect; unless given, what the token's answer says, or else `/v1/realtime` beside the API. */
  readonly realtimeUrl?: string;
  /** The device's own name, 1 to 64 characters as in ids: the server remembers where it stands as well. */
  readonly device?: string;
  /** IndexedDB unless given. Where there is none, what a client was told lasts as long as it does. */
  readonly storage?: ResumeStorage;
  /** The page's own unless given. */
  readonly webSocket?: SocketConstructor;
  /** Whether all tabs of a user share one connection; they do unless told otherwise. */
  readonly shared?: boolean;
  readonly clock?: Clock;
}

/** What to list; `category` ending in a dot finds all that begin so. */
export interface ListQuery {
  readonly state?: "unseen" | "seen" | "unread" | "read" | "archived";
  readonly category?: string;
  readonly log?: string;
  readonly after?: string;
  readonly before?: string;
  /** `category` asks for the counts by category as well. */
  readonly counts?: "category";
  /** 1 to 200, 50 unless given. */
  readonly limit?: number;
  /** `next` or `previous` of a page with the same filters. */
  readonly cursor?: string;
  readonly signal?: AbortSignal;
}

/** What to mark, in exactly one way. */
export type Marking =
  | { readonly ids: readonly string[] }
  | { readonly upTo: Readonly<Record<string, number>> }
  | { readonly all: true; readonly category?: string };

/** The client, as widgets use it. */
export interface Inbox {
  readonly status: Status;
  /** The newest counts, with marks that are not answered yet; undefined before the first. */
  readonly counts: Counts | undefined;
  readonly user: string | undefined;
  /**
   * How many notifications are missing by the gaps that were told, also before anybody listened: null
   * where nobody knows how many, undefined where nothing is missing.
   */
  readonly missed: number | null | undefined;
  /** True on exactly one of the tabs that share a connection: the one to play sounds. */
  readonly leads: boolean;
  connect(): void;
  close(): Promise<void>;
  logout(): Promise<void>;
  on<Name extends keyof Events>(event: Name, handler: (value: Events[Name]) => void): () => void;
  list(query?: ListQuery): Promise<Page>;
  mark(state: State, what: Marking): Promise<Marked>;
  /** The reader knows what is missing: `missed` begins anew. */
  forgetMissed(): void;
}
