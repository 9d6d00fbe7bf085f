import { useRef, useState } from "react";
import { answer, client, Problem } from "../api";
import { randomId } from "../random";
import { put } from "../studio/put";
import { asProblem } from "../studio/retry";

export interface Sending {
  file: File;
  /** bytes that went */
  sent: number;
  /** once all are there */
  uploadId: string | null;
  problem: Problem | null;
}

/** Sends one file to the service; `onHeld` gets its upload's id. */
export function useUpload(onHeld: (uploadId: string | null) => void) {
  const [sending, setSending] = useState<Sending | null>(null);
  const abort = useRef<AbortController | null>(null);

  const drop = () => {
    abort.current?.abort();
    setSending(null);
    onHeld(null);
  };
  const send = async (file: File) => {
    drop();
    const aborter = new AbortController();
    const { signal } = aborter;
    abort.current = aborter;
    const tell = (change: Partial<Sending>) => {
      if (!signal.aborted) setSending((now) => ({ file, sent: 0, uploadId: null, problem: null, ...now, ...change }));
    };
    tell({});
    try {
      if (file.size === 0) throw new Problem("empty_file", "the file has no bytes");
      const body = { filename: file.name, bytes: file.size };
      const headers = { "Idempotency-Key": randomId() };
      const place = await answer(client.POST("/v1/uploads", { body, headers, signal }));
      await put(place.url, place.headers as Record<string, string>, file, (sent) => tell({ sent }), signal);
      if (signal.aborted) return;
      tell({ uploadId: place.upload_id, sent: file.size });
      onHeld(place.upload_id);
    } catch (error) {
      tell({ problem: asProblem(error) });
    }
  };
  return { sending, send, drop };
}
