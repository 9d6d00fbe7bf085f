import { Store } from "../app/store";

/**
 * live: events come as they happen · polling: no stream, so the page asks every few seconds · offline: nobody answers ·
 * starting: not known yet
 */
export type Connection = "starting" | "live" | "polling" | "offline";

export const connection = new Store<Connection>("starting");
