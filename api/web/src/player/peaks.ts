/** The stems' waveforms that the worker made: `peaks.bin`, described in workers/audio/peaks.py. */

import type { Job } from "../api";
import { SongCache } from "./cache";
import type { Urls } from "./fetching";

export interface Zoom {
  samplesPerPixel: number;
  pixels: number;
  offset: number;
}

export interface PeaksHead {
  rate: number;
  frames: number;
  stems: string[];
  /** coarsest first */
  zooms: Zoom[];
}

const MAGIC = 0x4b505453; // "STPK"
const HEAD_BYTES = 4096;
const TILE_PIXELS = 4096; // of the finest zoom, fetched at a time

export function readHead(buffer: ArrayBuffer): PeaksHead {
  const view = new DataView(buffer);
  if (view.getUint32(0, true) !== MAGIC || view.getUint16(4, true) !== 1) throw new Error("these are no peaks");
  const count = view.getUint16(6, true);
  const zooms = view.getUint16(20, true);
  const stems: string[] = [];
  let at = 24;
  for (let stem = 0; stem < count; stem += 1) {
    const length = view.getUint8(at);
    stems.push(new TextDecoder().decode(new Uint8Array(buffer, at + 1, length)));
    at += 1 + length;
  }
  at += -at & 3;
  return {
    rate: view.getUint32(8, true),
    frames: Number(view.getBigUint64(12, true)),
    stems,
    zooms: Array.from({ length: zooms }, (_, zoom) => ({
      samplesPerPixel: view.getUint32(at + 16 * zoom, true),
      pixels: view.getUint32(at + 16 * zoom + 4, true),
      offset: Number(view.getBigUint64(at + 16 * zoom + 8, true)),
    })),
  };
}

/** Lowest and highest of a stem, by turns, from a pixel on. */
export interface Drawn {
  zoom: Zoom;
  first: number;
  values: Int8Array;
}

export class Peaks {
  private readonly tiles = new Map<string, Int8Array | null>();

  private constructor(
    readonly head: PeaksHead,
    /** the bytes up to the finest zoom */
    private readonly coarse: ArrayBuffer,
    private readonly urls: Urls,
    private readonly cache: SongCache,
    private readonly onTile: () => void,
  ) {}

  /** `onTile` is called when more of the finest zoom is here. */
  static async open(job: Job, urls: Urls, onTile: () => void): Promise<Peaks> {
    const cache = await SongCache.open(job.preview?.pack?.sha256 || job.id);
    const coarse = await cache.get("peaks", async () => {
      const size = job.peaks?.bytes ?? Number.MAX_SAFE_INTEGER;
      const pick = (one: Job) => one.peaks?.url;
      const first = await urls.get(pick, { from: 0, to: Math.min(HEAD_BYTES, size) });
      const head = readHead(first);
      const end = head.zooms.at(-1)?.offset ?? first.byteLength;
      return end <= first.byteLength ? first.slice(0, end) : urls.get(pick, { from: 0, to: end });
    });
    return new Peaks(readHead(coarse), coarse, urls, cache, onTile);
  }

  /** The pixels of a stem for a view of that many samples a pixel: one zoom finer than the view, or what is here. */
  get(stem: number, samplesPerPixel: number, from: number, to: number): Drawn {
    const { zooms } = this.head;
    const finest = zooms.at(-1) as Zoom;
    const wanted = zooms.find((zoom) => zoom.samplesPerPixel <= samplesPerPixel) ?? finest;
    const fine = wanted === finest ? this.fine(stem, finest, from, to) : null;
    if (fine) return fine;
    const zoom = wanted === finest ? (zooms.at(-2) ?? finest) : wanted;
    const values = new Int8Array(this.coarse, zoom.offset + stem * zoom.pixels * 2, zoom.pixels * 2);
    return { zoom, first: 0, values };
  }

  /** The finest pixels for a span of samples; null while some are on their way. */
  private fine(stem: number, zoom: Zoom, from: number, to: number): Drawn | null {
    const first = Math.floor(from / zoom.samplesPerPixel / TILE_PIXELS);
    const last = Math.floor(Math.min(zoom.pixels - 1, to / zoom.samplesPerPixel) / TILE_PIXELS);
    const found: Int8Array[] = [];
    for (let tile = first; tile <= last; tile += 1) {
      const values = this.tile(stem, zoom, tile);
      if (values) found.push(values);
    }
    if (found.length <= last - first) return null;
    const whole = new Int8Array(found.reduce((sum, one) => sum + one.length, 0));
    let at = 0;
    for (const one of found) {
      whole.set(one, at);
      at += one.length;
    }
    return { zoom, first: first * TILE_PIXELS, values: whole };
  }

  private tile(stem: number, zoom: Zoom, tile: number): Int8Array | null {
    const name = `peaks-${stem}-${tile}`;
    const known = this.tiles.get(name);
    if (known !== undefined) return known;
    this.tiles.set(name, null);
    const from = zoom.offset + (stem * zoom.pixels + tile * TILE_PIXELS) * 2;
    const to = zoom.offset + (stem * zoom.pixels + Math.min(zoom.pixels, (tile + 1) * TILE_PIXELS)) * 2;
    this.cache
      .get(name, () => this.urls.get((job) => job.peaks?.url, { from, to }))
      .then((bytes) => {
        this.tiles.set(name, new Int8Array(bytes));
        this.onTile();
      })
      .catch(() => this.tiles.delete(name));
    return null;
  }
}
