/** Times as a reader says them: "5 min. ago" today, the hour on other days, and a heading for each day. */

const DAY = 86_400_000;
const RECENT_SECONDS = 45;

/**
 * Formats times in one language. `Intl` objects take milliseconds to make, so each is made when it is first
 * needed, and kept.
 */
export class TimeFormat {
  readonly #language: string;
  #short: Intl.RelativeTimeFormat | undefined;
  #hour: Intl.DateTimeFormat | undefined;
  #exact: Intl.DateTimeFormat | undefined;

  constructor(language: string) {
    this.#language = language;
  }

  /** How long ago, when that was today; else the hour. A clock that runs behind the server's says "now". */
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

  /** Day, date and hour in full. */
  exact(at: Date): string {
    this.#exact ??= new Intl.DateTimeFormat(this.#language, { dateStyle: "full", timeStyle: "short" });
    return this.#exact.format(at);
  }

  /** The heading over a day: today, yesterday, a weekday within the last week, or a date. */
  day(at: Date, now: Date): string {
    const days = daysBetween(at, now);
    if (days < 2) return this.#sentence(this.#relative(-Math.max(0, days), "day"));
    const options: Intl.DateTimeFormatOptions =
      days < 7
        ? { weekday: "long" }
        : {
            day: "numeric",
            month: "long",
            ...(at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }),
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

/** A time of the server. What is none is 1970, so that a list shows whatever else is in it. */
export function instant(text: string): Date {
  return new Date(Date.parse(text) || 0);
}

/** Midnights between two moments, by the local calendar; rounded, since a day may have 23 or 25 hours. */
function daysBetween(from: Date, to: Date): number {
  return Math.round((midnight(to) - midnight(from)) / DAY);
}

function midnight(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

/** Whether two moments are of one day, by the local calendar. */
export function sameDay(one: Date, other: Date): boolean {
  return midnight(one) === midnight(other);
}
