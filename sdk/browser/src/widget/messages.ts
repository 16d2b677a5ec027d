/**
 * What the widget says, in the languages that come with it.
 *
 * Days and times come from `Intl`, and numbers stand after a colon, so that no text needs plural forms.
 */

const KEYS = [
  "title",
  "all",
  "unread",
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
  "retry",
  "offline",
  "connecting",
  "stopped",
  "missed",
  "fresh",
  "loading",
  "urgent",
  "close",
] as const;

export type MessageKey = (typeof KEYS)[number];
/** Texts by key. */
export type Messages = Record<MessageKey, string>;

/** One line a language, the texts in the order of `KEYS`. */
const TEXTS: Readonly<Record<string, string>> = {
  en: "Notifications|All|Unread|Archived|Mark all as read|Mark as read|Mark as unread|Archive|Move to inbox|Undo|Nothing here yet|You’re all caught up|Nothing archived|Couldn’t load notifications|Try again|You’re offline. New notifications will appear when you’re back.|Reconnecting…|Disconnected|Some older notifications are no longer available|New|Loading|Urgent|Close",
  de: "Benachrichtigungen|Alle|Ungelesen|Archiviert|Alle als gelesen markieren|Als gelesen markieren|Als ungelesen markieren|Archivieren|Zurück in den Eingang|Rückgängig|Noch nichts da|Alles gelesen|Nichts archiviert|Laden fehlgeschlagen|Erneut versuchen|Du bist offline. Neues erscheint, sobald du wieder verbunden bist.|Verbindung wird wiederhergestellt …|Getrennt|Einige ältere Benachrichtigungen sind nicht mehr verfügbar|Neu|Wird geladen|Dringend|Schließen",
  es: "Notificaciones|Todas|No leídas|Archivadas|Marcar todo como leído|Marcar como leída|Marcar como no leída|Archivar|Mover a la bandeja|Deshacer|Aún no hay nada|Estás al día|Nada archivado|No se pudo cargar|Reintentar|Sin conexión. Lo nuevo aparecerá cuando vuelvas.|Reconectando…|Desconectado|Algunas notificaciones antiguas ya no están disponibles|Nuevas|Cargando|Urgente|Cerrar",
  fr: "Notifications|Toutes|Non lues|Archivées|Tout marquer comme lu|Marquer comme lue|Marquer comme non lue|Archiver|Remettre dans la boîte|Annuler|Rien pour l’instant|Vous êtes à jour|Rien d’archivé|Échec du chargement|Réessayer|Vous êtes hors ligne. Les nouveautés apparaîtront à votre retour.|Reconnexion…|Déconnecté|Certaines notifications plus anciennes ne sont plus disponibles|Nouvelles|Chargement|Urgent|Fermer",
  ar: "الإشعارات|الكل|غير المقروءة|المؤرشفة|تحديد الكل كمقروء|تحديد كمقروء|تحديد كغير مقروء|أرشفة|نقل إلى الوارد|تراجع|لا شيء هنا بعد|لا جديد لديك|لا شيء في الأرشيف|تعذّر تحميل الإشعارات|إعادة المحاولة|أنت غير متصل. ستظهر الإشعارات الجديدة عند عودتك.|جارٍ إعادة الاتصال…|انقطع الاتصال|بعض الإشعارات القديمة لم تعد متاحة|جديد|جارٍ التحميل|عاجل|إغلاق",
  zh: "通知|全部|未读|已归档|全部标为已读|标为已读|标为未读|归档|移回收件箱|撤销|暂无通知|已全部读完|没有已归档的通知|无法加载通知|重试|您已离线。恢复连接后将显示新通知。|正在重新连接…|已断开连接|部分较早的通知已无法查看|新通知|正在加载|紧急|关闭",
  ja: "通知|すべて|未読|アーカイブ済み|すべて既読にする|既読にする|未読にする|アーカイブ|受信箱に戻す|元に戻す|まだ通知はありません|すべて確認済みです|アーカイブはありません|通知を読み込めませんでした|再試行|オフラインです。再接続後に新しい通知が表示されます。|再接続中…|切断されました|古い通知の一部は表示できません|新着|読み込み中|緊急|閉じる",
};

const cache = new Map<string, Messages>();

/** Whether a language tag is of a language that came with the widget. */
export function speaks(language: string): boolean {
  return Object.hasOwn(TEXTS, primary(language));
}

/** The texts of a language tag; English where the language did not come with the widget. */
export function messagesOf(language: string): Messages {
  const known = speaks(language) ? primary(language) : "en";
  let messages = cache.get(known);
  if (!messages) {
    const texts = (TEXTS[known] ?? "").split("|");
    messages = Object.fromEntries(KEYS.map((key, index) => [key, texts[index] ?? ""])) as Messages;
    cache.set(known, messages);
  }
  return messages;
}

/** Whether a language is written from right to left. */
export function isRightToLeft(language: string): boolean {
  return /^(ar|dv|fa|he|ps|sd|ug|ur|yi)$/.test(primary(language));
}

function primary(language: string): string {
  return language.toLowerCase().split("-", 1)[0] ?? "";
}
