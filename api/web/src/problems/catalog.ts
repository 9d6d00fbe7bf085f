import type { Schemas } from "../api";
import { files } from "./files";
import { installation } from "./installation";
import { options } from "./options";
import { requests } from "./requests";
import { service } from "./service";
import { sources } from "./sources";
import { steps } from "./steps";
import { weights } from "./weights";
import { type Words, words } from "./words";

export type ErrorCode = Schemas["ErrorCode"];

/** Words for each code that the api names; the compiler refuses a code without any. */
export const KNOWN: Record<ErrorCode, Words> = {
  ...requests,
  ...files,
  ...options,
  ...sources,
  ...service,
  ...steps,
  ...weights,
  ...installation,
};

/** What the browser itself meets; the api never sends these. */
const OURS: Record<string, Words> = {
  network_error: words("wait", "The service can't be reached.", "Der Dienst ist nicht erreichbar."),
  upload_failed: words("upload_again", "The upload broke off.", "Das Hochladen brach ab."),
};

export const CATALOG: ReadonlyMap<string, Words> = new Map(Object.entries({ ...KNOWN, ...OURS }));
