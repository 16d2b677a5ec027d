// Generated from tidings.protocol by tools/browser_protocol.py. Do not edit.

export type State = "seen" | "unseen" | "read" | "unread" | "archived" | "unarchived";

export type InboxState = "unseen" | "seen" | "read" | "archived";

export type StateFilter = "unseen" | "seen" | "unread" | "read" | "archived" | "snoozed";

export type Positions = Readonly<Record<string, number>>;

/** An action as a receiver sees it. */
export interface ReceivedAction {
  readonly id: string;
  readonly label: string;
  readonly link?: string;
}

/** The action that a user used on a notification, by its id, and when. It is the first one, and stays. */
export interface UsedAction {
  readonly id: string;
  readonly at: string;
}

/**
 * A notification as its receivers see it. Fields that the sender left out are absent.
 *
 * `id` is a UUIDv7. `created_at` is the time when the server accepted it; it is removed at `expires_at`.
 */
export interface Notification {
  readonly id: string;
  readonly category?: string;
  readonly title?: string;
  readonly body?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly link?: string;
  readonly icon?: string;
  readonly group_key?: string;
  readonly actions?: readonly ReceivedAction[];
  readonly priority: string;
  readonly created_at: string;
  readonly expires_at?: string;
}

/** One button of a notification. Without a `link` the application handles the `id` itself. */
export interface Action {
  readonly id: string;
  readonly label: string;
  readonly link?: string;
}

/** A notification that a client publishes to a topic: a `CreateNotification` without `to`. */
export interface Publication {
  readonly category?: string;
  readonly title?: string;
  readonly body?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly link?: string;
  readonly icon?: string;
  readonly group_key?: string;
  readonly actions?: readonly Action[];
  readonly priority?: "high" | "low" | "normal" | "urgent";
  readonly expires_in?: number;
}

/** The counts of one category of an inbox. */
export interface CategoryCounts {
  readonly unseen: number;
  readonly unread: number;
}

/**
 * Absolute counts of an inbox, without archived items. A higher `version` is newer.
 *
 * `categories` is present when the request asked for it. It has the categories with unseen or unread items;
 * items without a category count under the empty string.
 */
export interface Counts {
  readonly unseen: number;
  readonly unread: number;
  readonly version: number;
  readonly categories?: Readonly<Record<string, CategoryCounts>>;
}

/** One notification that a mark changed. `state` is the mark that was made, not the resulting state. */
export interface StateChange {
  readonly id: string;
  readonly state: State;
  readonly at: string;
}

/** The action that the user used on the notification `id`: on a repetition, with the first time. */
export interface Acted {
  readonly id: string;
  readonly action: UsedAction;
}

/** Notifications that are hidden until a time; with null, those that are in the inbox again. */
export interface Snoozed {
  readonly ids: readonly string[];
  readonly until: string | null;
}

/** The notifications that expired while this client was not connected: how many, and their times. */
export interface Expired {
  readonly count: number;
  readonly categories: Positions;
  readonly oldest: string;
  readonly newest: string;
}

/**
 * The progress of a client: everything up to these positions arrived, in this epoch.
 *
 * A topic among the positions is subscribed to again, as by `subscribe` with `after`.
 *
 * With `state_version`, the last version that the client received, the server also sends the marks made
 * since.
 */
export interface Resume {
  readonly epoch: string;
  readonly positions?: Positions;
  readonly state_version?: number;
}

/**
 * The first frame of a client.
 *
 * `token` is required unless the handshake carried it. `rewind` starts with the last N notifications and
 * cannot be used with `resume`. `client` names the program, for people; it is cut at 200 characters.
 *
 * `inbox` is false for a service that only sends: its token needs the scope `send` instead of `inbox`, and
 * the connection has no user, no inbox and no presence. `device`, `resume` and `rewind` cannot be used then.
 */
export interface Connect {
  readonly type: "connect";
  readonly token?: string;
  readonly device?: string;
  readonly resume?: Resume;
  readonly rewind?: number;
  readonly client?: string;
  readonly inbox?: boolean;
}

/** Cumulative: everything up to these positions arrived. */
export interface Ack {
  readonly type: "ack";
  readonly positions: Positions;
}

/**
 * Changes the state of `ids`, of everything `up_to` a position per log, or of `all`.
 *
 * Give exactly one of the three. `category` narrows `all`. `up_to` and `all` change archived items only when
 * `state` is `unarchived`. The server answers with `state` and the same `ref`.
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

/**
 * Uses an `action` of the notification `id`: one of the ids of its `actions`.
 *
 * The first action that the user uses on a notification counts, on whichever device. The server answers with
 * `state` and the same `ref`, also for a repetition, or with `error`: `not_found`, `unknown_action`, or
 * `action_used` after another action.
 */
export interface Act {
  readonly type: "act";
  readonly id: string;
  readonly action: string;
  readonly ref?: string | number;
}

/** A new token for the same user. The server answers with `refreshed`. */
export interface Refresh {
  readonly type: "refresh";
  readonly token: string;
}

/** The server answers with `pong` and the same `ref`. */
export interface Ping {
  readonly type: "ping";
  readonly ref?: string | number;
}

/**
 * Subscribes the connection to a topic. The server answers with `subscribed` and the same `ref`.
 *
 * `after` is a position: everything that followed it is replayed. `rewind` replays the last N notifications.
 * Without either the subscription starts at the end. At most 100 topics.
 */
export interface Subscribe {
  readonly type: "subscribe";
  readonly topic: string;
  readonly after?: number;
  readonly rewind?: number;
  readonly ref?: string | number;
}

/** Ends the subscription to a topic. The server answers with `unsubscribed` and the same `ref`. */
export interface Unsubscribe {
  readonly type: "unsubscribe";
  readonly topic: string;
  readonly ref?: string | number;
}

/**
 * Sends a notification to a topic. The server answers with `published` and the same `ref`.
 *
 * The token's claim `publish` has to allow the topic. `notification` is that of a send, without `to`.
 */
export interface Publish {
  readonly type: "publish";
  readonly topic: string;
  readonly notification: Publication;
  readonly ref?: string | number;
}

/**
 * A message to the application; the token needs the scope `inbox` or `message`.
 *
 * The server calls the upstream of the tenant. With a `ref` it answers with `reply` or `error` and the same
 * `ref`. The messages of one connection are called in order, each after the answer to the one before. `data`
 * is any JSON of at most 32 KB. A repetition with the same `idempotency_key` has the same id for the
 * application, and sends none of its notifications twice within 24 hours.
 */
export interface MessageFrame {
  readonly type: "message";
  readonly event: string;
  readonly data?: unknown;
  readonly ref?: string | number;
  readonly idempotency_key?: string;
}

/**
 * The connection is open. `positions` is the position where it starts, for every log of the user.
 *
 * `heartbeat` is in seconds: the server sends something at least this often. `state_version` is the version
 * of the state that `counts` include; give it to the next `resume`.
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

/**
 * One notification of one log. `replayed` is true while the connection catches up.
 *
 * `action` is the action that the user used before.
 */
export interface Delivered {
  readonly type: "notification";
  readonly log: string;
  readonly position: number;
  readonly notification: Notification;
  readonly replayed?: boolean;
  readonly action?: UsedAction;
}

/** The replay is complete; notifications after this frame are new. */
export interface CaughtUp {
  readonly type: "caught_up";
  readonly positions: Positions;
  readonly expired?: Expired;
}

/**
 * Positions `from` to `to` of a log are no longer available.
 *
 * `missed` of them were notifications; null where that number is not known. `history`: they are in the lists
 * of the REST API.
 */
export interface Gap {
  readonly type: "gap";
  readonly log: string;
  readonly from: number;
  readonly to: number;
  readonly missed: number | null;
  readonly reason: "epoch" | "expired" | "trimmed";
  readonly history?: boolean;
}

/** The user joined a group; its log starts for this user after `position`. */
export interface Joined {
  readonly type: "joined";
  readonly log: string;
  readonly position: number;
}

/** The user left a group; the user receives no entry of its log after `position`. */
export interface Left {
  readonly type: "left";
  readonly log: string;
  readonly position: number;
}

/**
 * A mark or snooze that this or another device made, or an action that it used, and the counts after it.
 *
 * `changes` names single notifications; it is empty when only the counts changed (a notification expired) or
 * nothing did (the answer to a mark without effect). `up_to` alone: everything up to these positions was
 * marked. `all`: the whole inbox, or one `category`, was marked, up to the positions in `up_to`. The last
 * two exclude archived notifications, unless `state` is `unarchived`, and snoozed ones. A notification that
 * had the state already keeps its time. `acted`: an action was used; `changes` is empty then.
 *
 * `snoozed`: notifications leave the inbox until a time, and the archive. With `until` null they are in the
 * inbox again: as they were, when the user ended the snooze; unseen, by `changes`, when its time was over.
 * The mark `archived` ends a snooze too.
 *
 * `reload`: the server cannot name each change that the client missed; read the inbox again. `unknown`: ids
 * and logs of the mark with this `ref` that do not belong to the user. `state_version` rises with each
 * change of state.
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
  readonly acted?: Acted;
  readonly snoozed?: Snoozed;
  readonly ref?: string | number;
}

/** The sender recalled a notification. */
export interface Recalled {
  readonly type: "recalled";
  readonly id: string;
  readonly log: string;
  readonly position: number;
  readonly counts: Counts;
}

/**
 * The connection is subscribed to a topic; its notifications after `position` of `log` follow.
 *
 * With `after` or `rewind`, or after a `resume`, replayed ones and `caught_up` for this log alone are first.
 */
export interface Subscribed {
  readonly type: "subscribed";
  readonly topic: string;
  readonly log: string;
  readonly position: number;
  readonly ref?: string | number;
}

/** The subscription to a topic has ended. `reason`: `forbidden` when the token no longer allows it. */
export interface Unsubscribed {
  readonly type: "unsubscribed";
  readonly topic: string;
  readonly reason?: string;
  readonly ref?: string | number;
}

/** The topic has the notification of `publish`, with this id. */
export interface Published {
  readonly type: "published";
  readonly id: string;
  readonly ref?: string | number;
}

/** The token expires in `in` seconds: send `refresh`. */
export interface Expiring {
  readonly type: "expiring";
  readonly in: number;
}

/** The server accepted the new token, which expires at `expires_at`. */
export interface Refreshed {
  readonly type: "refreshed";
  readonly expires_at: string;
}

/** The application has answered a `message`. Its notifications are accepted, and `data` is its reply. */
export interface Reply {
  readonly type: "reply";
  readonly ref: string | number;
  readonly data?: unknown;
}

/** The server refused a frame; the connection stays open. `errors`: faults of a `send` or `publish`. */
export interface ErrorFrame {
  readonly type: "error";
  readonly code: string;
  readonly detail: string;
  readonly ref?: string | number;
  readonly errors?: readonly FieldError[];
}

/** The answer to `ping`. */
export interface Pong {
  readonly type: "pong";
  readonly ref?: string | number;
}

/**
 * One notification of an inbox with its state.
 *
 * The time of a state is null until the item is in that state. `snoozed_until` is the time at which a
 * snoozed item returns, else null. `action` is the action that the user used, or null. `notification` is the
 * JSON of a `Notification`, as stored. `archived_copy`: the item is older than the retention and comes from
 * the history; it can't be marked any more.
 */
export interface InboxItem {
  readonly log: string;
  readonly position: number;
  readonly state: InboxState;
  readonly seen_at: string | null;
  readonly read_at: string | null;
  readonly archived_at: string | null;
  readonly snoozed_until: string | null;
  readonly action: UsedAction | null;
  readonly notification: Notification;
  readonly archived_copy?: true;
}

/**
 * A page of an inbox, newest first.
 *
 * Give `epoch`, `positions` and `state_version` to `resume`, so that the connection starts with the
 * notifications and marks that followed this page. `history`: older items are in the history, which does not
 * answer now.
 */
export interface InboxPage {
  readonly items: readonly InboxItem[];
  readonly next: string | null;
  readonly previous: string | null;
  readonly counts: Counts;
  readonly epoch: string;
  readonly positions: Positions;
  readonly state_version: number;
  readonly history?: "unavailable";
}

/**
 * Changes the state of `ids`, of everything `up_to` a position per log, or of `all`.
 *
 * Give exactly one of the three. `category` narrows `all`. `read` implies `seen`; `unread` takes back `read`
 * only, `unseen` takes back both; `archived` is independent of them. A mark is idempotent, and the first
 * time of a state is kept. A position past the end of its log counts as the end. `up_to` and `all` change
 * archived items only when `state` is `unarchived`, and no snoozed ones. `archived` ends a snooze.
 */
export interface MarkInbox {
  readonly state: State;
  readonly ids?: readonly string[];
  readonly up_to?: Positions;
  readonly all?: true;
  readonly category?: string;
}

/**
 * Hides `ids` from the inbox and from its counts until a time, at which they are unseen again.
 *
 * `until` is RFC 3339 with a zone, in the future, and at most a year ahead. Null ends the snooze now: the
 * items are in the inbox as they were. An archived item leaves the archive.
 */
export interface SnoozeInbox {
  readonly ids: readonly string[];
  readonly until: string | null;
}

/**
 * The number of notifications whose state changed, and the counts after the mark or snooze.
 *
 * `unknown`: ids and logs that are not in this inbox, or no longer.
 */
export interface Marked {
  readonly changed: number;
  readonly counts: Counts;
  readonly unknown?: readonly string[];
}

/** A token of a user, and the URL to connect to with it. */
export interface UserToken {
  readonly token: string;
  readonly expires_at: string;
  readonly realtime_url: string;
}

/** One fault of a body: its place, as a JSON pointer in a URI fragment, and the rule that it breaks. */
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

export type ClientFrame = Connect | Ack | Mark | Act | Refresh | Ping | Subscribe | Unsubscribe | Publish | MessageFrame;

export type ServerFrame = Welcome | Delivered | CaughtUp | Gap | Joined | Left | Stated | Recalled | Subscribed | Unsubscribed | Published | Expiring | Refreshed | Reply | ErrorFrame | Pong;

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

export const TARGET_TOPICS = 100;

export const ACTIONS = 10;

export const LABEL_LENGTH = 200;

export const LINK_LENGTH = 2048;

export const CATEGORY_LENGTH = 128;

export const GROUP_KEY_LENGTH = 100;

export const EXPIRES_IN_SECONDS = 31536000;

export const IDEMPOTENCY_KEY_LENGTH = 255;

export const IDEMPOTENCY_KEPT_SECONDS = 86400;

export const MESSAGE_BYTES = 32768;

export const UPSTREAM_SECONDS = 5;

export const UPSTREAM_ANSWER_BYTES = 262144;

export const WEBHOOKS = 50;

export const WEBHOOK_EVENTS = 50;

export const EVENTS_PAGE = 500;

export const EVENTS_MAXIMUM = 1000;

export const EVENTS_WAIT_SECONDS = 20;

export const EVENTS_WAIT_MAXIMUM = 60;

export const EVENTS_HELD_SECONDS = 60;

export const CONSUMER_LENGTH = 64;

export const ID_LENGTH = 128;

export const DEVICE_LENGTH = 64;

export const TENANT_LENGTH = 40;

export const TOPIC_LENGTH = 200;

export const EVENT_LENGTH = 100;

export const GROUP_CHANGES = 10000;

export const PAGE_DEFAULT = 50;

export const PAGE_MAXIMUM = 200;

export const MARK_IDS = 1000;

export const SNOOZE_SECONDS = 31622400;

export const TOKEN_SECONDS = 86400;

export const TOKEN_LEEWAY_SECONDS = 5;

export const TOKEN_BYTES = 8192;

export const TOPIC_PATTERNS = 50;

export const TICKET_SECONDS = 30;

export const CONNECT_SECONDS = 5;

export const FRAME_BYTES = 65536;

export const FRAMES_PER_SECOND = 100;

export const FRAMES_BURST = 200;

export const REWIND = 200;

export const TOPICS_PER_CONNECTION = 100;

export const DEVICES_PER_USER = 20;

export const DEVICE_KEPT_SECONDS = 7776000;

export const HEARTBEAT_SECONDS = 25;

export const RETENTION_SECONDS = 7776000;

export const TOPIC_RETENTION_SECONDS = 86400;

export const TOPIC_RETENTION_MAXIMUM = 31536000;

/** The reaction of a client to a close. */
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

/** Verdicts of the codes whose range does not give it: 40xx stay away, 42xx now, all others later. */
export const VERDICTS: Readonly<Record<number, Verdict>> = {"4200": "refresh", "1000": "stay_away", "1003": "stay_away", "1007": "stay_away", "1009": "stay_away"};

/** Codes of errors after which the same request may succeed later, unchanged. */
export const RETRYABLE = ["body_timeout","internal_error","overloaded","rate_limited","storage_unavailable"];
