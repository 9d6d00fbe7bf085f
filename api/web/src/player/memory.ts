/** Memory of samples. A garbage collector takes its time, and by then a song of ten minutes would have filled a phone. */

/** Give buffers' memory back now: a clone that has them handed over and does not name them lets them go at once. */
export function free(buffers: ArrayBuffer[]): void {
  structuredClone(null, { transfer: buffers });
}

/** Buffers that go to the audio thread, come back and go again. */
export class Spare {
  private readonly buffers: ArrayBuffer[] = [];

  /** Room for samples, with whatever was in it. */
  take(frames: number): Float32Array {
    const place = this.buffers.findIndex(({ byteLength }) => byteLength === frames * Float32Array.BYTES_PER_ELEMENT);
    const [found] = place < 0 ? [] : this.buffers.splice(place, 1);
    return found ? new Float32Array(found) : new Float32Array(frames);
  }

  give(buffers: ArrayBuffer[]): void {
    this.buffers.push(...buffers);
  }
}
