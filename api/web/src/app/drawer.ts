import { Store } from "./store";

/** Whether the chat's drawer is open. */
export const drawer = new Store(false);
/** The field that words are typed into, and the button that opens the drawer, by their ids. */
export const WORDS = "chat-words";
export const OPENER = "chat-opener";

let before: Element | null = null;

/** Open the drawer; where it is open, its field gets the focus. */
export function openDrawer(): void {
  if (drawer.get()) {
    document.getElementById(WORDS)?.focus();
    return;
  }
  before = document.activeElement;
  drawer.set(true);
}

export function closeDrawer(): void {
  drawer.set(false);
}

/** Give the focus back to what had it before the drawer was opened; where that is gone, to the drawer's button. */
export function giveFocusBack(): void {
  const there = before instanceof HTMLElement && before.isConnected && before !== document.body;
  const place = there ? (before as HTMLElement) : document.getElementById(OPENER);
  before = null;
  place?.focus();
}

const FIELDS = "input, select, textarea, [contenteditable], [role='menu'], dialog";

/** Whether a key asks for the drawer: C alone, outside of fields and menus. */
export function asksForDrawer(event: KeyboardEvent): boolean {
  const { target } = event;
  const typed = target instanceof Element && target.closest(FIELDS) !== null;
  const held = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
  return event.key.toLowerCase() === "c" && !held && !typed && !event.defaultPrevented;
}
