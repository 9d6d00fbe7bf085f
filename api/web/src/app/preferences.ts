import { browserLocale, LOCALES, type Locale, setLocale } from "../i18n";
import { Store } from "./store";

/** What this browser remembers of its reader. Nothing secret is ever among it. */
export interface Preferences {
  theme: "system" | "light" | "dark";
  /** null: the browser's */
  language: Locale | null;
  /** whether single keys operate the player */
  shortcuts: boolean;
  /** the options of the last songs */
  options: Record<string, unknown>;
}

const PLACE = "stemsvc.preferences.1";
const FIRST: Preferences = { theme: "system", language: null, shortcuts: true, options: {} };

function stored(): Preferences {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
    return { ...FIRST, ...(found as Partial<Preferences>) };
  } catch {
    return FIRST; // storage may be off, or hold another page's words
  }
}

export const preferences = new Store<Preferences>(FIRST);

function apply({ theme, language }: Preferences): void {
  const known = LOCALES.find((one) => one === language) ?? browserLocale();
  setLocale(known);
  document.documentElement.lang = known;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** Read what is remembered, and have the document follow it. */
export function startPreferences(): void {
  const found = stored();
  apply(found);
  preferences.set(found);
}

export function prefer(change: Partial<Preferences>): void {
  const next = { ...preferences.get(), ...change };
  apply(next);
  try {
    localStorage.setItem(PLACE, JSON.stringify(next));
  } catch {
    // without storage the choice lasts as long as the page
  }
  preferences.set(next);
}
