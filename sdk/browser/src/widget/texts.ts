/** The texts of the panel; see `messages.ts`. */

import type { Texts } from "./messages.js";

const KEYS = [
  "all",
  "archived",
  "markAll",
  "markRead",
  "markUnread",
  "archive",
  "restore",
  "undo",
  "empty",
  "emptyUnread",
  "emptyArchived",
  "failed",
  "offline",
  "connecting",
  "stopped",
  "missed",
  "loading",
  "urgent",
  "isUnread",
  "isArchived",
  "missed_other",
  "missed_one",
  "missed_two",
  "missed_few",
  "missed_many",
  "missed_zero",
  "fresh_other",
  "fresh_one",
  "fresh_two",
  "fresh_few",
  "fresh_many",
  "fresh_zero",
] as const;

export type PanelKey = (typeof KEYS)[number];

/** `isUnread` and `isArchived` are said of one notification. `missed_…` and `fresh_…` are the forms that a language has. */
export const texts: Texts<PanelKey> = {
  keys: KEYS,
  lines: {
    en: "All|Archived|Mark all as read|Mark as read|Mark as unread|Archive|Move to inbox|Undo|No notifications yet|You’re all caught up|Nothing archived|Couldn’t load notifications|You’re offline|Reconnecting…|Disconnected|Some older notifications are no longer available|Loading|Urgent|Unread|Archived|{count} older notifications are no longer available|{count} older notification is no longer available|||||{count} new notifications|{count} new notification",
    de: "Alle|Archiviert|Alle als gelesen markieren|Als gelesen markieren|Als ungelesen markieren|Archivieren|Zurück in den Posteingang|Rückgängig|Noch keine Benachrichtigungen|Alles gelesen|Nichts archiviert|Laden fehlgeschlagen|Keine Verbindung|Verbindung wird wiederhergestellt …|Verbindung getrennt|Einige ältere Benachrichtigungen sind nicht mehr verfügbar|Wird geladen|Dringend|Ungelesen|Archiviert|{count} ältere Benachrichtigungen sind nicht mehr verfügbar|{count} ältere Benachrichtigung ist nicht mehr verfügbar|||||{count} neue Benachrichtigungen|{count} neue Benachrichtigung",
    es: "Todas|Archivadas|Marcar todo como leído|Marcar como leída|Marcar como no leída|Archivar|Mover a la bandeja de entrada|Deshacer|Aún no hay notificaciones|Estás al día|No hay nada archivado|No se pudo cargar|Sin conexión|Reconectando…|Conexión interrumpida|Algunas notificaciones anteriores ya no están disponibles|Cargando|Urgente|No leída|Notificación archivada|{count} notificaciones anteriores ya no están disponibles|{count} notificación anterior ya no está disponible|||||{count} notificaciones nuevas|{count} notificación nueva",
    fr: "Toutes|Archivées|Tout marquer comme lu|Marquer comme lue|Marquer comme non lue|Archiver|Remettre dans la boîte de réception|Annuler|Aucune notification pour l’instant|Vous êtes à jour|Aucune notification archivée|Échec du chargement|Vous êtes hors ligne|Reconnexion…|Connexion interrompue|Certaines notifications plus anciennes ne sont plus disponibles|Chargement|Urgent|Non lue|Notification archivée|{count} notifications plus anciennes ne sont plus disponibles|{count} notification plus ancienne n’est plus disponible|||||{count} nouvelles notifications|{count} nouvelle notification",
    ar: "الكل|المؤرشفة|تحديد الكل كمقروء|تحديد كمقروء|تحديد كغير مقروء|أرشفة|نقل إلى صندوق الوارد|تراجع|لا توجد إشعارات بعد|لا توجد إشعارات غير مقروءة|لا شيء في الأرشيف|تعذّر تحميل الإشعارات|لا يوجد اتصال|جارٍ إعادة الاتصال…|انقطع الاتصال|بعض الإشعارات القديمة لم تعد متاحة|جارٍ التحميل|عاجل|غير مقروء|تمت الأرشفة|{count} إشعار قديم لم تعد متاحة|إشعار قديم لم يعد متاحًا|إشعاران قديمان لم يعودا متاحين|{count} إشعارات قديمة لم تعد متاحة|{count} إشعارًا قديمًا لم تعد متاحة||{count} إشعار جديد|إشعار جديد|إشعاران جديدان|{count} إشعارات جديدة|{count} إشعارًا جديدًا",
    zh: "全部|已归档|全部标为已读|标为已读|标为未读|归档|移回收件箱|撤销|暂无通知|没有未读通知|没有已归档的通知|无法加载通知|当前离线|正在重新连接…|连接已断开|部分较早的通知已无法查看|正在加载|紧急|未读|已归档|{count} 条较早的通知已无法查看||||||{count} 条新通知",
    ja: "すべて|アーカイブ済み|すべて既読にする|既読にする|未読にする|アーカイブ|受信トレイに戻す|元に戻す|まだ通知はありません|未読の通知はありません|アーカイブした通知はありません|通知を読み込めませんでした|オフラインです|再接続中…|接続が切れました|古い通知の一部は表示できなくなりました|読み込み中|緊急|未読|アーカイブしました|古い通知 {count} 件は表示できなくなりました||||||新着通知 {count} 件",
  },
};
