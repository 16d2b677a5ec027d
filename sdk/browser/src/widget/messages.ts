/**
 * What the widget says, in the languages that come with it.
 *
 * Days and times come from `Intl`, and most numbers stand after a colon: `missed` and `fresh` have plural forms, as
 * keys that end like the categories of `Intl.PluralRules`.
 * The bell needs few words; those of the panel come with it (`texts.ts`).
 */

/** One line a language, the texts in the order of their keys. */
export interface Texts<Key extends string = string> {
  readonly keys: readonly Key[];
  readonly lines: Readonly<Record<string, string>>;
}

const FIRST = {
  keys: ["title", "unread", "retry", "close"],
  lines: {
    en: "Notifications|Unread|Try again|Close",
    de: "Benachrichtigungen|Ungelesen|Erneut versuchen|Schließen",
    es: "Notificaciones|No leídas|Reintentar|Cerrar",
    fr: "Notifications|Non lues|Réessayer|Fermer",
    ar: "الإشعارات|غير المقروءة|إعادة المحاولة|إغلاق",
    zh: "通知|未读|重试|关闭",
    ja: "通知|未読|再試行|閉じる",
  },
} as const;

export type MessageKey = (typeof FIRST.keys)[number] | import("./texts.js").PanelKey;
/** Texts by key. */
export type Messages = Record<MessageKey, string>;

const tables: Texts[] = [FIRST];

/** Adds the texts of what was loaded later. */
export function learn(texts: Texts): void {
  if (!tables.includes(texts)) tables.push(texts);
}

/** Whether a language tag is of a language that came with the widget. */
export function speaks(language: string): boolean {
  return Object.hasOwn(FIRST.lines, primary(language));
}

/** A text in the language of a tag; in English where that language did not come with the widget. */
export function textOf(language: string, key: MessageKey): string {
  const known = speaks(language) ? primary(language) : "en";
  const table = tables.find(({ keys }) => keys.includes(key));
  return table?.lines[known]?.split("|")[table.keys.indexOf(key)] ?? "";
}

/** Whether a language is written from right to left. */
export function isRightToLeft(language: string): boolean {
  return /^(ar|dv|fa|he|ps|sd|ug|ur|yi)$/.test(primary(language));
}

function primary(language: string): string {
  return language.toLowerCase().split("-", 1)[0] ?? "";
}
