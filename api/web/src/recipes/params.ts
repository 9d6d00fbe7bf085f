import type { Schemas } from "../api";
import { number } from "../i18n";
import { t } from "./strings";

export type Recipe = Schemas["Recipe"];
export type Param = Schemas["Param"];
/** What the form has of each parameter: a text of a field, or whether a box is ticked. */
export type Values = Record<string, string | boolean>;

/** The form's values at first. */
export function firstValues(recipe: Recipe): Values {
  const value = ({ type, default: given }: Param) => (type === "flag" ? given === true : String(given ?? ""));
  return Object.fromEntries(Object.entries(recipe.params).map(([name, param]) => [name, value(param)]));
}

/** Why a parameter can't have a value, in the reader's words; null if it can. */
export function wrong(param: Param, value: string | boolean): string | null {
  if (param.type !== "number" && param.type !== "integer") return null;
  const given = typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
  const { least, most } = param;
  if (!Number.isFinite(given)) return t("number.any");
  if (param.type === "integer" && !Number.isInteger(given)) return t("number.whole");
  if ((least != null && given < least) || (most != null && given > most)) {
    return t("number.bad", {
      least: least == null ? "−∞" : number(least, 6),
      most: most == null ? "∞" : number(most, 6),
    });
  }
  return null;
}

/** The request's params: only what differs from the recipe's own defaults. */
export function paramsOf(recipe: Recipe, values: Values): Record<string, string | number | boolean> {
  const found: Record<string, string | number | boolean> = {};
  for (const [name, param] of Object.entries(recipe.params)) {
    const value = values[name] ?? "";
    const given = param.type === "number" || param.type === "integer" ? Number(value) : value;
    if (given !== param.default) found[name] = given;
  }
  return found;
}

/** Whether each step that is always done is of a kind that somebody here does. */
export function canBeDone(recipe: Recipe, served: ReadonlySet<string>): boolean {
  return recipe.steps.every((step) => step.when !== undefined || served.has(String(step.do)));
}
