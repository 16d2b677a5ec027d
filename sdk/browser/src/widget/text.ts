/** Limits of what the widget shows of a notification. */

/** Characters of a text in the list, until the reader expands it. */
export const SHOWN = 600;

/**
 * A text for the list: cut to `limit` characters, and without U+202D and U+202E. These two override the direction of
 * the following text, which only makes a text look like another.
 */
export function shown(text: string, limit = SHOWN): string {
  const plain = text.slice(0, limit + 1).replace(/[\u202d\u202e]/g, "");
  return plain.length > limit ? `${plain.slice(0, limit).replace(/[\ud800-\udbff]$/, "")}…` : plain;
}

/** Returns a link that the contract allows (http, https, mailto, or a path of this site), else undefined. */
export function safeLink(link: string | undefined): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: browsers drop these from a URL, so none may pass
  return link && /^(?:https?:\/\/[^/]|mailto:.|\/(?![/\\]))[^\x00-\x20\x7f]*$/i.test(link) ? link : undefined;
}

/** Returns the address of an icon by the rules of a link, but without mailto. */
export function safeImage(link: string | undefined): string | undefined {
  return link && /^m/i.test(link) ? undefined : safeLink(link);
}
