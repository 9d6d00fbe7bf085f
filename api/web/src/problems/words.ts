/** What the page says of an error code, and what it offers. The api's own `detail` stands below it, in the api's English. */

/**
 * retry: do the same again · wait: it is done again by itself, after Retry-After or a growing pause · upload_again: the
 * file is kept, send it again · choose_other: choose another file · use_upload: send the file instead of its link ·
 * change: choose other options · sign_in · refresh: read again · again: a new job for the same song · jobs: go to the
 * jobs · operator: tell who runs the service, with the details to copy
 */
export type Action =
  | "retry"
  | "wait"
  | "upload_again"
  | "choose_other"
  | "use_upload"
  | "change"
  | "sign_in"
  | "refresh"
  | "again"
  | "jobs"
  | "operator";

export interface Words {
  action: Action;
  en: string;
  de: string;
}

export function words(action: Action, en: string, de: string): Words {
  return { action, en, de };
}
