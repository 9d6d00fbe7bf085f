/** Which conversation the drawer shows. This tab remembers it; null is one that begins with its first message. */

import { Store } from "../app/store";

const PLACE = "stemsvc.chat.1";
const ID = /^[0-9a-f]{32}$/;

function stored(): string | null {
  try {
    const found = sessionStorage.getItem(PLACE);
    return found && ID.test(found) ? found : null;
  } catch {
    return null; // storage may be off
  }
}

export const current = new Store<string | null>(stored());

export function showConversation(id: string | null): void {
  try {
    if (id) sessionStorage.setItem(PLACE, id);
    else sessionStorage.removeItem(PLACE);
  } catch {
    // without storage it is remembered as long as the page
  }
  current.set(id);
}

/** What is typed and not sent: closing the drawer does not lose it. */
export const draft = new Store("");
