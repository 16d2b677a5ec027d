// Generated from tidings.protocol by tools/browser_protocol.py. Do not edit.

export type State = "seen" | "unseen" | "read" | "unread" | "archived" | "unarchived";

export type InboxState = "unseen" | "seen" | "read" | "archived";

export type StateFilter = "unseen" | "seen" | "unread" | "read" | "archived";

export type Positions = Readonly<Record<string, number>>;

/** An action as a receiver sees it. */
export interface ReceivedAction {
  readonly id: string;
  readonly label: string;
  readonly link?: string;
}

/**
 * A notification as its receivers see it. Fields that the sender left out are absent.
 *
 * `id` is a UUIDv7; `created_at` is when the server accepted it; it is gone after `expires_at`.
 */
export interface Notification {
  readonly id: string;
  readonly category?: string;
  readonly title?: string;
  readonly body?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly link?: string;
  readonly icon?: string;
  readonly actions?: readonly ReceivedAction[];
  readonly priority: string;
  readonly created_at: string;
  readonly expires_at?: string;
}

/** The part of an inbox's counts that one category has. */
export interface CategoryCounts {
  readonly unseen: number;
  readonly unread: number;
}

/**
 * Absolute counts of an inbox, the archived not counted. A higher `version` is newer.
 *
 * `categories`, where it was asked for: those that have something unseen or unread; what has no
 * category is under the empty text.
 */
export interface Counts {
  readonly unseen: number;
  readonly unread: number;
  readonly version: number;
  readonly categories?: Readonly<Record<string, CategoryCounts>>;
}

/** One notification that a mark changed; `state` is that mark, not the state that it led to. */
export interface StateChange {
  readonly id: string;
  readonly state: State;
  readonly at: string;
}

/** What ended by its own expiry while this client was away. */
export interface Expired {
  readonly count: number;
  readonly categories: Positions;
  readonly oldest: string;
  readonly newest: string;
}

/**
 * Where a client stands: everything up to these positions arrived, in this epoch.
 *
 * With `state_version`, the last one it was told, it is also told what was marked since.
 */
export interface Resume {
  readonly epoch: string;
  readonly positions?: Positions;
  readonly state_version?: number;
}

/**
 * The first frame. `token` unless the handshake carried it; `rewind` not with `resume`.
 *
 * `client` names the program, for people; it is cut at 200 characters.
 */
export interface Connect {
  readonly type: "connect";
  readonly token?: string;
  readonly device?: string;
  readonly resume?: Resume;
  readonly rewind?: number;
  readonly client?: string;
}

/** Cumulative: everything up to these positions arrived. */
export interface Ack {
  readonly type: "ack";
  readonly positions: Positions;
}

/**
 * A change of state: of `ids`, of everything `up_to` a position per log, or of `all`.
 *
 * Exactly one of the three; `category` narrows `all`. `up_to` and `all` leave archived items alone, unless
 * they are `unarchived`. Answered by `state` with the same `ref`.
 */
export interface Mark {
  readonly type: "mark";
  readonly state: State;
  readonly ids?: readonly string[];
  readonly up_to?: Positions;
  readonly all?: true;
  readonly category?: string;
  readonly ref?: string | number;
}

/** A new token for the same user. */
export interface Refresh {
  readonly type: "refresh";
  readonly token: string;
}

/** Answered by `pong` with the same `ref`. */
export interface Ping {
  readonly type: "ping";
  readonly ref?: string | number;
}

/**
 * The connection stands. `positions` says where it starts in every log of the user.
 *
 * `state_version` is the last change of state that `counts` hold; give it to the next `resume`.
 */
export interface Welcome {
  readonly type: "welcome";
  readonly connection: string;
  readonly user: string;
  readonly epoch: string;
  readonly positions: Positions;
  readonly counts: Counts;
  readonly heartbeat: number;
  readonly expires_at: string;
  readonly resume: "complete" | "gap" | "none";
  readonly state_version: number;
}

/** One notification of one log. `replayed` while catching up. */
export interface Delivered {
  readonly type: "notification";
  readonly log: string;
  readonly position: number;
  readonly notification: Notification;
  readonly replayed?: boolean;
}

/** The replay ended here; what follows is new. */
export interface CaughtUp {
  readonly type: "caught_up";
  readonly positions: Positions;
  readonly expired?: Expired;
}

/** Positions `from` to `to` of a log cannot be had; `missed` of them were notifications. */
export interface Gap {
  readonly type: "gap";
  readonly log: string;
  readonly from: number;
  readonly to: number;
  readonly missed: number | null;
  readonly reason: "epoch" | "expired" | "trimmed";
}

/** The user became a member; the log starts for this user after `position`. */
export interface Joined {
  readonly type: "joined";
  readonly log: string;
  readonly position: number;
}

/** The user is no longer a member; nothing after `position` comes. */
export interface Left {
  readonly type: "left";
  readonly log: string;
  readonly position: number;
}

/**
 * What this or another device marked, and the counts after it.
 *
 * `changes` names single notifications; empty when nothing but the counts changed (something expired)
 * or nothing at all (the answer to a mark that changed nothing). `up_to`, or `all` with the positions
 * that it reached in `up_to` and perhaps a `category`, say the same of everything up to there that was
 * not archived, or of everything where `state` is `unarchived`. A notification that had the state already
 * keeps its time. `reload`: changes were missed that can't be
 * told one by one; ask for the inbox again. `unknown`: ids and logs of the mark with this `ref` that
 * are not the user's. `state_version` rises with each change of state.
 */
export interface Stated {
  readonly type: "state";
  readonly counts: Counts;
  readonly state_version: number;
  readonly changes?: readonly StateChange[];
  readonly up_to?: Positions;
  readonly all?: boolean;
  readonly category?: string;
  readonly state?: State;
  readonly at?: string;
  readonly reload?: boolean;
  readonly unknown?: readonly string[];
  readonly ref?: string | number;
}

/** The sender took a notification back. */
export interface Recalled {
  readonly type: "recalled";
  readonly id: string;
  readonly log: string;
  readonly position: number;
  readonly counts: Counts;
}

/** The token ends `in` seconds from now: send `refresh`. */
export interface Expiring {
  readonly type: "expiring";
  readonly in: number;
}

/** The new token holds. */
export interface Refreshed {
  readonly type: "refreshed";
  readonly expires_at: string;
}

/** Something was wrong with a frame; the connection stays. */
export interface ErrorFrame {
  readonly type: "error";
  readonly code: string;
  readonly detail: string;
  readonly ref?: string | number;
}

/** The answer to `ping`. */
export interface Pong {
  readonly type: "pong";
  readonly ref?: string | number;
}

/**
 * One notification of an inbox with its state; a time is null until it came to that.
 *
 * `notification` is the JSON of a `Notification`, as stored.
 */
export interface InboxItem {
  readonly log: string;
  readonly position: number;
  readonly state: InboxState;
  readonly seen_at: string | null;
  readonly read_at: string | null;
  readonly archived_at: string | null;
  readonly notification: Notification;
}

/**
 * A page of an inbox, newest first.
 *
 * `epoch`, `positions` and `state_version` are what to give to `resume`, so that nothing between this
 * page and the connection is missed, sent or marked.
 */
export interface InboxPage {
  readonly items: readonly InboxItem[];
  readonly next: string | null;
  readonly previous: string | null;
  readonly counts: Counts;
  readonly epoch: string;
  readonly positions: Positions;
  readonly state_version: number;
}

/**
 * A change of state: of `ids`, of everything `up_to` a position per log, or of `all`.
 *
 * Exactly one of the three; `category` narrows `all`. Read implies seen; unread takes back read only,
 * unseen both; archived stands apart from them. Idempotent, and the first time of a state is kept.
 * A position past the end of its log is cut to it. `up_to` and `all` leave archived items alone, unless
 * they are `unarchived`.
 */
export interface MarkInbox {
  readonly state: State;
  readonly ids?: readonly string[];
  readonly up_to?: Positions;
  readonly all?: true;
  readonly category?: string;
}

/**
 * How many notifications changed their state, and the counts now.
 *
 * `unknown`: ids and logs that are not of this inbox, or no longer.
 */
export interface Marked {
  readonly changed: number;
  readonly counts: Counts;
  readonly unknown?: readonly string[];
}

/** A user's token, and where to connect with it. */
export interface UserToken {
  readonly token: string;
  readonly expires_at: string;
  readonly realtime_url: string;
}

/** One thing wrong with a body: a JSON pointer as a URI fragment, and what to do about it. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

/** An error answer, `application/problem+json` (RFC 9457 with the extensions below). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly request_id?: string;
  readonly errors?: readonly FieldError[];
}

export type ClientFrame = Connect | Ack | Mark | Refresh | Ping;

export type ServerFrame = Welcome | Delivered | CaughtUp | Gap | Joined | Left | Stated | Recalled | Expiring | Refreshed | ErrorFrame | Pong;

export const SUBPROTOCOL = "tidings.v1";

export const DEVICE_PATTERN = "^(?!\\.{1,2}$)[A-Za-z0-9._:@+|=~\\-]{1,64}$(?!\\n)";

export const LINK_PATTERN = "^(?:[hH][tT][tT][pP][sS]?://(?=[^/])|[mM][aA][iI][lL][tT][oO]:(?=.)|/(?![/\\\\]))[^\\x00-\\x20\\x7F]*$(?!\\n)";

export const NOTIFICATION_BYTES = 32768;

export const NESTING = 100;

export const BATCH_BYTES = 4194304;

export const BATCH_NOTIFICATIONS = 1000;

export const BODY_TIMEOUT_SECONDS = 10;

export const TARGET_USERS = 1000;

export const TARGET_GROUPS = 100;

export const TARGET_EXCLUDES = 1000;

export const ACTIONS = 10;

export const LABEL_LENGTH = 200;

export const LINK_LENGTH = 2048;

export const CATEGORY_LENGTH = 128;

export const EXPIRES_IN_SECONDS = 31536000;

export const IDEMPOTENCY_KEY_LENGTH = 255;

export const IDEMPOTENCY_KEPT_SECONDS = 86400;

export const ID_LENGTH = 128;

export const DEVICE_LENGTH = 64;

export const TENANT_LENGTH = 40;

export const GROUP_CHANGES = 10000;

export const PAGE_DEFAULT = 50;

export const PAGE_MAXIMUM = 200;

export const MARK_IDS = 1000;

export const TOKEN_SECONDS = 86400;

export const TOKEN_LEEWAY_SECONDS = 5;

export const TOKEN_BYTES = 8192;

export const CONNECT_SECONDS = 5;

export const FRAME_BYTES = 65536;

export const FRAMES_PER_SECOND = 100;

export const FRAMES_BURST = 200;

export const REWIND = 200;

export const DEVICES_PER_USER = 20;

export const DEVICE_KEPT_SECONDS = 7776000;

export const HEARTBEAT_SECONDS = 25;

export const RETENTION_SECONDS = 7776000;

/** What a client does after a close. */
export type Verdict = "stay_away" | "later" | "refresh" | "now";

/** protocol error */
export const PROTOCOL_ERROR = 4000;

/** invalid token */
export const INVALID_TOKEN = 4001;

/** revoked */
export const REVOKED = 4002;

/** replaced by another session */
export const REPLACED = 4003;

/** origin refused */
export const ORIGIN_REFUSED = 4004;

/** disconnected by the application */
export const DISCONNECTED = 4005;

/** no connect frame in time */
export const NO_CONNECT = 4006;

/** the token lacks the scope inbox */
export const NO_INBOX_SCOPE = 4007;

/** slow consumer */
export const SLOW_CONSUMER = 4100;

/** rate limited */
export const RATE_LIMITED = 4101;

/** overloaded */
export const OVERLOADED = 4102;

/** too many connections */
export const TOO_MANY_CONNECTIONS = 4103;

/** token expired */
export const TOKEN_EXPIRED = 4200;

/** rebalanced */
export const REBALANCED = 4201;

/** binary frames are not accepted */
export const BINARY = 1003;

/** not UTF-8 */
export const NOT_UTF8 = 1007;

/** message too big */
export const TOO_BIG = 1009;

/** restart */
export const RESTART = 1012;

/** Of codes whose range does not say it: 40xx stay away, 42xx come now, all others come later. */
export const VERDICTS: Readonly<Record<number, Verdict>> = {"4200": "refresh", "1000": "stay_away", "1003": "stay_away", "1007": "stay_away", "1009": "stay_away"};

/** Codes of errors after which the same request may succeed later, unchanged. */
export const RETRYABLE = ["body_timeout","idempotency_in_progress","internal_error","overloaded","quota_exceeded","rate_limited","storage_unavailable"];
