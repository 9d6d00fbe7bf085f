import { locale } from "../i18n";

/** An amount as its reader writes it; small ones to a hundredth of a cent. */
export function money(value: number, currency: string): string {
  try {
    return new Intl.NumberFormat(locale(), { style: "currency", currency, maximumFractionDigits: 4 }).format(value);
  } catch {
    return `${value} ${currency}`; // the operator may name what no bank knows
  }
}
