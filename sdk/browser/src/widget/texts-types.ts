/** The types of the texts. This module imports nothing. */

type Form = "zero" | "one" | "two" | "few" | "many" | "other";

/** One text for each form of `Intl.PluralRules` that the language needs. `{count}` is replaced by the number. */
export type Forms = Readonly<Partial<Record<Form, string>>> & { readonly other: string };

/** All texts of one language. */
export interface Texts {
  /** The heading of the inbox, and the name of the bell. */
  readonly title: string;
  /** The filter for unread notifications. The bell says it before their number. */
  readonly unread: string;
  readonly retry: string;
  readonly close: string;
  /** The title of a notification that has no title, no text and no category. */
  readonly new: string;
  /** The filter for all notifications that are not archived. */
  readonly all: string;
  /** The filter for archived notifications. */
  readonly archived: string;
  readonly markAll: string;
  readonly markRead: string;
  readonly markUnread: string;
  readonly archive: string;
  readonly archiveAll: string;
  /** Asks before all are archived without a way back. */
  readonly archiveAllAsk: string;
  /** Moves one archived notification back to the inbox. */
  readonly restore: string;
  readonly undo: string;
  /** Shows the whole text of one notification. */
  readonly more: string;
  /** Shortens it again. */
  readonly less: string;
  /** Expands a group. `{count}` is replaced by the number of its notifications that are not shown. */
  readonly grouped: string;
  /** The filter for snoozed notifications. */
  readonly snoozed: string;
  readonly snooze: string;
  readonly inAnHour: string;
  /** Tomorrow morning, and the morning of the next Monday. */
  readonly tomorrow: string;
  readonly nextWeek: string;
  /** Describes one snoozed notification. `{time}` is replaced by its day and hour. */
  readonly until: string;
  /** Ends a snooze. */
  readonly unsnooze: string;
  /** The filter `snoozed` finds nothing. */
  readonly emptySnoozed: string;
  /** A snooze failed. */
  readonly notSnoozed: string;
  /** The filter `all` finds nothing. */
  readonly empty: string;
  /** The filter `unread` finds nothing. */
  readonly emptyUnread: string;
  /** The filter `archived` finds nothing. */
  readonly emptyArchived: string;
  /** The list could not be loaded. */
  readonly failed: string;
  /** The device has no network. */
  readonly offline: string;
  /** The device has a network, and the client reconnects. */
  readonly connecting: string;
  /** The connection has ended, and the client does not reconnect. */
  readonly stopped: string;
  /** Older notifications cannot be loaded for some time. */
  readonly away: string;
  readonly loading: string;
  readonly urgent: string;
  /** Describes one notification. */
  readonly isUnread: string;
  /** Describes one notification that was just archived. */
  readonly isArchived: string;
  /** Describes the action that was used. */
  readonly done: string;
  /** An action could not be used. */
  readonly notDone: string;
  /** Notifications were removed before this reader saw them. `unknown` is for an unknown number. */
  readonly missed: Forms & { readonly unknown: string };
  /** New notifications are above the part of the list in view. */
  readonly fresh: Forms;
}

type Counted = "missed" | "fresh";

/** The keys of the property `messages`. `unknown` of `missed` has the key `missed`. */
export type MessageKey = Exclude<keyof Texts, "fresh"> | `${Counted}_${Form}`;

/** Texts by key. */
export type Messages = Record<MessageKey, string>;

/** Some keys in all languages. A line has the texts of one language in the order of `keys`, separated by `|`. */
export interface PackedTexts {
  readonly keys: readonly MessageKey[];
  readonly lines: Readonly<Record<string, string>>;
}
