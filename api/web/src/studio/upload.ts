import { answer, client } from "../api";
import { put } from "./put";

/** From how many bytes on a file goes in parts, so that what is cut goes on where it was. */
const PARTS_FROM = 16 * 1024 * 1024;

/**
 * Send a file to the service; returns its upload's id. `onSent` gets the bytes that are there or on their way. The same
 * `key` goes on with what an earlier call began. Throws Problem.
 */
export async function upload(
  file: File,
  key: string,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const place = await answer(
    client.POST("/v1/uploads", {
      body: { filename: file.name, bytes: file.size, ...(file.size > PARTS_FROM && { parts: true }) },
      headers: { "Idempotency-Key": key },
      signal,
    }),
  );
  const whole = { offset: 0, bytes: file.size, url: place.url, headers: place.headers };
  const parts = place.parts ?? [whole];
  let there = parts.reduce((left, part) => left - part.bytes, file.size);
  onSent(there);
  for (const part of parts) {
    const headers = part.headers as Record<string, string>;
    const bytes = file.slice(part.offset, part.offset + part.bytes);
    await put(part.url, headers, bytes, (sent) => onSent(there + sent), signal);
    there += part.bytes;
  }
  return place.upload_id;
}
