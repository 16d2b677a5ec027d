/** What of a notification may be shown, and how much of it. */

/** More than anybody reads in a list; the application shows the rest where the notification leads. */
const SHOWN = 600;

/**
 * A text for the list: cut to what can be shown, and without the two characters that force a direction on
 * what follows (U+202D, U+202E), which only serve to make a text look like another.
 */
export function shown(text: string): string {
  const plain = text.slice(0, SHOWN + 1).replace(/[\u202d\u202e]/g, "");
  return plain.length > SHOWN ? `${plain.slice(0, SHOWN).replace(/[\ud800-\udbff]$/, "")}…` : plain;
}

/** A link that the contract allows - http, https, mailto, or a path of this site - or undefined. */
export function safeLink(link: string | undefined): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: browsers drop these from a URL, so none may pass
  return link && /^(?:https?:\/\/[^/]|mailto:.|\/(?![/\\]))[^\x00-\x20\x7f]*$/i.test(link) ? link : undefined;
}

/** An icon's address: as a link, but not mailto. */
export function safeImage(link: string | undefined): string | undefined {
  return link?.toLowerCase().startsWith("mailto:") ? undefined : safeLink(link);
}
