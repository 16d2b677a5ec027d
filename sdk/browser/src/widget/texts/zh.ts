/** The texts in Chinese. */

import type { Texts } from "../texts-types.js";

export const zh: Texts = {
  title: "通知",
  unread: "未读",
  retry: "重试",
  close: "关闭",
  all: "全部",
  archived: "已归档",
  markAll: "全部标为已读",
  markRead: "标为已读",
  markUnread: "标为未读",
  archive: "归档",
  archiveAll: "全部归档",
  archiveAllAsk: "归档全部通知？",
  restore: "移回收件箱",
  undo: "撤销",
  more: "展开",
  less: "收起",
  grouped: "及其他 {count} 条",
  empty: "暂无通知",
  emptyUnread: "没有未读通知",
  emptyArchived: "没有已归档的通知",
  failed: "无法加载通知",
  offline: "当前离线",
  connecting: "正在重新连接…",
  stopped: "连接已断开",
  loading: "正在加载",
  urgent: "紧急",
  isUnread: "未读",
  isArchived: "已归档",
  done: "已完成",
  notDone: "操作未成功",
  missed: {
    unknown: "部分较早的通知已无法查看",
    other: "{count} 条较早的通知已无法查看",
  },
  fresh: {
    other: "{count} 条新通知",
  },
};
