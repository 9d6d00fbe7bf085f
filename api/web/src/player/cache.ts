/** Keeps what was loaded of a song in this browser, so that it plays again at once, and without a network. */

const PREFIX = "stemsvc-player.";
const ORDER = "stemsvc.player.songs.1";
const MOST_SONGS = 12;

function songs(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(ORDER) ?? "[]");
    return Array.isArray(found) ? found.filter((one): one is string => typeof one === "string") : [];
  } catch {
    return [];
  }
}

/** The parts of one song. `id` is a hash of it: the same song in another job is here already. */
export class SongCache {
  private constructor(private readonly cache: Cache | null) {}

  static async open(id: string): Promise<SongCache> {
    if (!("caches" in globalThis)) return new SongCache(null); // plain http from elsewhere
    try {
      const others = songs().filter((one) => one !== id);
      localStorage.setItem(ORDER, JSON.stringify([id, ...others].slice(0, MOST_SONGS)));
      await Promise.all(others.slice(MOST_SONGS - 1).map((one) => caches.delete(PREFIX + one)));
      return new SongCache(await caches.open(PREFIX + id));
    } catch {
      return new SongCache(null); // storage is off
    }
  }

  /** The part of that name: from here, or made by `load` and kept. */
  async get(name: string, load: () => Promise<ArrayBuffer>): Promise<ArrayBuffer> {
    const key = new URL(`/app/.player/${name}`, location.origin).href;
    const kept = await this.cache?.match(key).catch(() => undefined);
    if (kept) return kept.arrayBuffer();
    const loaded = await load();
    // a full disk keeps nothing, and stops nothing
    this.cache?.put(key, new Response(loaded)).catch(() => undefined);
    return loaded;
  }
}
