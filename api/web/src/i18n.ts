/** Words of the page in the reader's language. Each part may have a catalog of its own: `translator({ en, de })`. */

export type Locale = "en" | "de";
export const LOCALES: readonly Locale[] = ["en", "de"];

type Words = Record<string, string>;
/** Values for a text's `{names}`; `count` also chooses between the keys `name.one` and `name.other`. */
export type Values = Record<string, string | number>;

type Plural<K extends string> = K extends `${infer Stem}.one` | `${infer Stem}.other` ? Stem : never;
/** What `t` takes: a catalog's keys, and the stems of its plurals. */
export type Key<W extends Words> = Extract<keyof W, string> | Plural<Extract<keyof W, string>>;

let current: Locale = "en";

export function locale(): Locale {
  return current;
}

export function setLocale(next: Locale): void {
  current = next;
}

/** The first language of the browser that the page has; English where it has none. */
export function browserLocale(languages: readonly string[] = navigator.languages): Locale {
  for (const language of languages) {
    const base = language.split("-")[0];
    const known = LOCALES.find((one) => one === base);
    if (known) return known;
  }
  return "en";
}

/**
 * A function `t(key, values?)` for one catalog. German must have each key of English, which types hold.
 * Plural keys end in `.one` and `.other`; `t("songs", { count: 2 })` reads `songs.other`.
 */
export function translator<const W extends Words>(catalog: { en: W; de: Record<keyof W, string> }) {
  return (key: Key<W>, values: Values = {}): string => {
    const words: Words = catalog[current];
    const form =
      typeof values.count === "number" ? `${key}.${new Intl.PluralRules(current).select(values.count)}` : key;
    const text = words[key] ?? words[form] ?? words[`${key}.other`] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      return value === undefined ? whole : typeof value === "number" ? number(value) : value;
    });
  };
}

/** A number as the reader writes it; at most `digits` behind the point, and at least `least`. */
export function number(value: number, digits = 1, least = 0): string {
  return new Intl.NumberFormat(current, { maximumFractionDigits: digits, minimumFractionDigits: least }).format(value);
}

/** Bytes in units of 1000, as file managers and storage bills have them. */
export function bytes(value: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  let power = 0;
  let rest = value;
  while (rest >= 999.5 && power < units.length - 1) {
    rest /= 1000;
    power += 1;
  }
  const unit = units[power] ?? "byte";
  return new Intl.NumberFormat(current, {
    style: "unit",
    unit,
    unitDisplay: power === 0 ? "long" : "short",
    maximumFractionDigits: power === 0 || rest >= 99.5 ? 0 : 1,
  }).format(rest);
}

/** Seconds as a clock shows them: `3:42`, `1:02:07`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A span as people say it, in its largest one or two units: `40 seconds`, `3 minutes`, `2 hours, 5 minutes`. */
export function span(seconds: number): string {
  const part = (value: number, unit: "second" | "minute" | "hour" | "day") =>
    new Intl.NumberFormat(current, { style: "unit", unit, unitDisplay: "long" }).format(value);
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return part(whole, "second");
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return part(minutes, "minute");
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return part(Math.round(hours / 24), "day");
  const rest = minutes % 60;
  return rest ? `${part(hours, "hour")}, ${part(rest, "minute")}` : part(hours, "hour");
}

/** A moment as far from now as it is: `in 3 days`, `2 minutes ago`. */
export function ago(moment: string | number | Date, now: number = Date.now()): string {
  const seconds = (new Date(moment).getTime() - now) / 1000;
  const format = new Intl.RelativeTimeFormat(current, { numeric: "auto" });
  const size = Math.abs(seconds);
  if (size < 60) return format.format(Math.trunc(seconds), "second");
  if (size < 3600) return format.format(Math.trunc(seconds / 60), "minute");
  if (size < 86400) return format.format(Math.trunc(seconds / 3600), "hour");
  return format.format(Math.trunc(seconds / 86400), "day");
}

/** A moment by date and time. */
export function moment(at: string | number | Date): string {
  return new Intl.DateTimeFormat(current, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
}
