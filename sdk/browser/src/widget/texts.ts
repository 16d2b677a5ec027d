/** The texts of the panel and of toasts; see `messages.ts`. */

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
  "fresh",
  "loading",
  "urgent",
  "close",
] as const;

export type PanelKey = (typeof KEYS)[number];

export const texts: Texts<PanelKey> = {
  keys: KEYS,
  lines: {
    en: "All|Archived|Mark all as read|Mark as read|Mark as unread|Archive|Move to inbox|Undo|Nothing here yet|You’re all caught up|Nothing archived|Couldn’t load notifications|You’re offline. New notifications will appear when you’re back.|Reconnecting…|Disconnected|Some older notifications are no longer available|New|Loading|Urgent|Close",
    de: "Alle|Archiviert|Alle als gelesen markieren|Als gelesen markieren|Als ungelesen markieren|Archivieren|Zurück in den Eingang|Rückgängig|Noch nichts da|Alles gelesen|Nichts archiviert|Laden fehlgeschlagen|Du bist offline. Neues erscheint, sobald du wieder verbunden bist.|Verbindung wird wiederhergestellt …|Getrennt|Einige ältere Benachrichtigungen sind nicht mehr verfügbar|Neu|Wird geladen|Dringend|Schließen",
    es: "Todas|Archivadas|Marcar todo como leído|Marcar como leída|Marcar como no leída|Archivar|Mover a la bandeja|Deshacer|Aún no hay nada|Estás al día|Nada archivado|No se pudo cargar|Sin conexión. Lo nuevo aparecerá cuando vuelvas.|Reconectando…|Desconectado|Algunas notificaciones antiguas ya no están disponibles|Nuevas|Cargando|Urgente|Cerrar",
    fr: "Toutes|Archivées|Tout marquer comme lu|Marquer comme lue|Marquer comme non lue|Archiver|Remettre dans la boîte|Annuler|Rien pour l’instant|Vous êtes à jour|Rien d’archivé|Échec du chargement|Vous êtes hors ligne. Les nouveautés apparaîtront à votre retour.|Reconnexion…|Déconnecté|Certaines notifications plus anciennes ne sont plus disponibles|Nouvelles|Chargement|Urgent|Fermer",
    ar: "الكل|المؤرشفة|تحديد الكل كمقروء|تحديد كمقروء|تحديد كغير مقروء|أرشفة|نقل إلى الوارد|تراجع|لا شيء هنا بعد|لا جديد لديك|لا شيء في الأرشيف|تعذّر تحميل الإشعارات|أنت غير متصل. ستظهر الإشعارات الجديدة عند عودتك.|جارٍ إعادة الاتصال…|انقطع الاتصال|بعض الإشعارات القديمة لم تعد متاحة|جديد|جارٍ التحميل|عاجل|إغلاق",
    zh: "全部|已归档|全部标为已读|标为已读|标为未读|归档|移回收件箱|撤销|暂无通知|已全部读完|没有已归档的通知|无法加载通知|您已离线。恢复连接后将显示新通知。|正在重新连接…|已断开连接|部分较早的通知已无法查看|新通知|正在加载|紧急|关闭",
    ja: "すべて|アーカイブ済み|すべて既読にする|既読にする|未読にする|アーカイブ|受信箱に戻す|元に戻す|まだ通知はありません|すべて確認済みです|アーカイブはありません|通知を読み込めませんでした|オフラインです。再接続後に新しい通知が表示されます。|再接続中…|切断されました|古い通知の一部は表示できません|新着|読み込み中|緊急|閉じる",
  },
};
