/** Times in words: "5 min. ago" today, the hour on other days, and a heading for each day. */

const DAY = 86_400_000;
const RECENT_SECONDS = 45;

/**
 * Formats times in one language. An `Intl` object takes milliseconds to make, so each is made at its first use and
 * kept.
 */
export class TimeFormat {
  readonly #language: string;
  #short: Intl.RelativeTimeFormat | undefined;
  #hour: Intl.DateTimeFormat | undefined;
  #exact: Intl.DateTimeFormat | undefined;

  constructor(language: string) {
    this.#language = language;
  }

  /** The time since `at` if that is today, else the hour. If the page's clock is behind the server's: "now". */
  ago(at: Date, now: Date): string {
    if (daysBetween(at, now) > 0) {
      this.#hour ??= new Intl.DateTimeFormat(this.#language, { timeStyle: "short" });
      return this.#hour.format(at);
    }
    const seconds = Math.max(0, (now.getTime() - at.getTime()) / 1000);
    if (seconds < RECENT_SECONDS) return this.#relative(0, "second");
    if (seconds < 3_570) return this.#relative(-Math.max(1, Math.round(seconds / 60)), "minute");
    return this.#relative(-Math.round(seconds / 3_600), "hour");
  }

  /** The day, date and hour in full. */
  exact(at: Date): string {
    this.#exact ??= new Intl.DateTimeFormat(this.#language, { dateStyle: "full", timeStyle: "short" });
    return this.#exact.format(at);
  }

  /** The heading of a day: today, yesterday, a weekday of the last week, or a date. */
  day(at: Date, now: Date): string {
    const days = daysBetween(at, now);
    if (days < 2) return this.#sentence(this.#relative(-Math.max(0, days), "day"));
    const options: Intl.DateTimeFormatOptions =
      days < 7
        ? { weekday: "long" }
        : {
            day: "numeric",
            month: "long",
            year: at.getFullYear() === now.getFullYear() ? undefined : "numeric",
          };
    return this.#sentence(new Intl.DateTimeFormat(this.#language, options).format(at));
  }

  #relative(value: number, unit: Intl.RelativeTimeFormatUnit): string {
    this.#short ??= new Intl.RelativeTimeFormat(this.#language, { numeric: "auto", style: "short" });
    return this.#short.format(value, unit);
  }

  #sentence(text: string): string {
    return text.charAt(0).toLocaleUpperCase(this.#language) + text.slice(1);
  }
}

/** Parses a time of the server. An invalid time becomes 1970, so that the rest of the list still shows. */
export function instant(text: string): Date {
  return new Date(Date.parse(text) || 0);
}

/** The number of midnights between two moments, in local time. Rounded, because a day can have 23 or 25 hours. */
function daysBetween(from: Date, to: Date): number {
  return Math.round((midnight(to) - midnight(from)) / DAY);
}

function midnight(at: Date): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** Whether two moments are on the same day, in local time. */
export function sameDay(one: Date, other: Date): boolean {
  return midnight(one) === midnight(other);
}
