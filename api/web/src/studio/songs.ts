import { Store } from "../app/store";
import type { Song } from "./song";

/** All songs of this visit, oldest first. They outlive each screen, not the page. */
export const songs = new Store<readonly Song[]>([]);

export function songOf(id: string): Song | undefined {
  return songs.get().find((song) => song.id === id);
}

export function change(id: string, values: Partial<Song>): void {
  songs.set(songs.get().map((song) => (song.id === id ? { ...song, ...values } : song)));
}
