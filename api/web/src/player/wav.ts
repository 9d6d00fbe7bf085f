/** What a WAV file's head says, and its samples from bytes of its middle. */

export interface WavHead {
  rate: number;
  channels: number;
  /** 16, 24 or 32 (float) */
  bits: number;
  float: boolean;
  /** where the samples begin in the file, and bytes of them */
  start: number;
  bytes: number;
}

/** Reads the first bytes of a file; null for what is no plain WAV. `size` is the whole file's. */
export function wavHead(buffer: ArrayBuffer, size: number): WavHead | null {
  const view = new DataView(buffer);
  const name = (at: number) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (view.byteLength < 12 || !["RIFF", "RF64"].includes(name(0)) || name(8) !== "WAVE") return null;
  let format: Pick<WavHead, "rate" | "channels" | "bits" | "float"> | null = null;
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const length = view.getUint32(at + 4, true);
    if (name(at) === "fmt " && at + 24 <= view.byteLength) {
      const code = view.getUint16(at + 8, true);
      const kind = code === 0xfffe && at + 34 <= view.byteLength ? view.getUint16(at + 32, true) : code;
      if (kind !== 1 && kind !== 3) return null;
      format = {
        channels: view.getUint16(at + 10, true),
        rate: view.getUint32(at + 12, true),
        bits: view.getUint16(at + 22, true),
        float: kind === 3,
      };
    }
    if (name(at) === "data") {
      if (!format || (format.float ? format.bits !== 32 : ![16, 24].includes(format.bits))) return null;
      return { ...format, start: at + 8, bytes: Math.min(length, size - at - 8) };
    }
    at += 8 + length + (length % 2);
  }
  return null;
}

/** The channels of whole frames of samples. */
export function wavSamples(buffer: ArrayBuffer, head: WavHead): Float32Array[] {
  const view = new DataView(buffer);
  const width = head.bits / 8;
  const frames = Math.floor(buffer.byteLength / (width * head.channels));
  return Array.from({ length: head.channels }, (_, channel) =>
    Float32Array.from({ length: frames }, (__, frame) => {
      const at = (frame * head.channels + channel) * width;
      if (head.float) return view.getFloat32(at, true);
      if (head.bits === 16) return view.getInt16(at, true) / 32768;
      return (view.getInt16(at + 1, true) * 256 + view.getUint8(at)) / 8388608;
    }),
  );
}
