/** The texts in Arabic. */

import type { Texts } from "../texts-types.js";

export const ar: Texts = {
  title: "الإشعارات",
  unread: "غير المقروءة",
  retry: "إعادة المحاولة",
  close: "إغلاق",
  all: "الكل",
  archived: "المؤرشفة",
  markAll: "تحديد الكل كمقروء",
  markRead: "تحديد كمقروء",
  markUnread: "تحديد كغير مقروء",
  archive: "أرشفة",
  restore: "نقل إلى صندوق الوارد",
  undo: "تراجع",
  empty: "لا توجد إشعارات بعد",
  emptyUnread: "لا توجد إشعارات غير مقروءة",
  emptyArchived: "لا شيء في الأرشيف",
  failed: "تعذّر تحميل الإشعارات",
  offline: "لا يوجد اتصال",
  connecting: "جارٍ إعادة الاتصال…",
  stopped: "انقطع الاتصال",
  loading: "جارٍ التحميل",
  urgent: "عاجل",
  isUnread: "غير مقروء",
  isArchived: "تمت الأرشفة",
  missed: {
    unknown: "بعض الإشعارات القديمة لم تعد متاحة",
    one: "إشعار قديم لم يعد متاحًا",
    two: "إشعاران قديمان لم يعودا متاحين",
    few: "{count} إشعارات قديمة لم تعد متاحة",
    many: "{count} إشعارًا قديمًا لم تعد متاحة",
    other: "{count} إشعار قديم لم تعد متاحة",
  },
  fresh: {
    one: "إشعار جديد",
    two: "إشعاران جديدان",
    few: "{count} إشعارات جديدة",
    many: "{count} إشعارًا جديدًا",
    other: "{count} إشعار جديد",
  },
};
