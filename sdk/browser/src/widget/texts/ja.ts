/** The texts in Japanese. */

import type { Texts } from "../texts-types.js";

export const ja: Texts = {
  title: "通知",
  unread: "未読",
  retry: "再試行",
  close: "閉じる",
  all: "すべて",
  archived: "アーカイブ済み",
  markAll: "すべて既読にする",
  markRead: "既読にする",
  markUnread: "未読にする",
  archive: "アーカイブ",
  archiveAll: "すべてアーカイブ",
  archiveAllAsk: "すべての通知をアーカイブしますか？",
  restore: "受信トレイに戻す",
  undo: "元に戻す",
  more: "もっと見る",
  less: "折りたたむ",
  grouped: "ほか {count} 件",
  empty: "まだ通知はありません",
  emptyUnread: "未読の通知はありません",
  emptyArchived: "アーカイブした通知はありません",
  failed: "通知を読み込めませんでした",
  offline: "オフラインです",
  connecting: "再接続中…",
  stopped: "接続が切れました",
  loading: "読み込み中",
  urgent: "緊急",
  isUnread: "未読",
  isArchived: "アーカイブしました",
  done: "完了",
  notDone: "実行できませんでした",
  missed: {
    unknown: "古い通知の一部は表示できなくなりました",
    other: "古い通知 {count} 件は表示できなくなりました",
  },
  fresh: {
    other: "新着通知 {count} 件",
  },
};
