/** The texts in English. */

import type { Texts } from "../texts-types.js";

export const en: Texts = {
  title: "Notifications",
  unread: "Unread",
  retry: "Try again",
  close: "Close",
  all: "All",
  archived: "Archived",
  markAll: "Mark all as read",
  markRead: "Mark as read",
  markUnread: "Mark as unread",
  archive: "Archive",
  archiveAll: "Archive all",
  archiveAllAsk: "Archive all notifications?",
  restore: "Move to inbox",
  undo: "Undo",
  more: "Show more",
  less: "Show less",
  empty: "No notifications yet",
  emptyUnread: "You’re all caught up",
  emptyArchived: "Nothing archived",
  failed: "Couldn’t load notifications",
  offline: "You’re offline",
  connecting: "Reconnecting…",
  stopped: "Disconnected",
  loading: "Loading",
  urgent: "Urgent",
  isUnread: "Unread",
  isArchived: "Archived",
  done: "Done",
  notDone: "That didn’t work",
  missed: {
    unknown: "Some older notifications are no longer available",
    one: "{count} older notification is no longer available",
    other: "{count} older notifications are no longer available",
  },
  fresh: {
    one: "{count} new notification",
    other: "{count} new notifications",
  },
};
