/**
 * What the widget says, in the languages that come with it.
 *
 * Days and times come from `Intl`, and numbers stand after a colon, so that no text needs plural forms.
 * The bell needs few words; those of the panel come with it (`texts.ts`).
 */

/** One line a language, the texts in the order of their keys. */
export interface Texts<Key extends string = string> {
  readonly keys: readonly Key[];
  readonly lines: Readonly<Record<string, string>>;
}

const FIRST = {
  keys: ["title", "unread", "retry"],
  lines: {
    en: "Notifications|Unread|Try again",
    de: "Benachrichtigungen|Ungelesen|Erneut versuchen",
    es: "Notificaciones|No leídas|Reintentar",
    fr: "Notifications|Non lues|Réessayer",
    ar: "الإشعارات|غير المقروءة|إعادة المحاولة",
    zh: "通知|未读|重试",
    ja: "通知|未読|再試行",
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
