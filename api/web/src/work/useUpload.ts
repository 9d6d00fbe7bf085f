import { useRef, useState } from "react";
import { Problem } from "../api";
import { randomId } from "../random";
import { asProblem } from "../studio/retry";
import { upload } from "../studio/upload";

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
      const uploadId = await upload(file, randomId(), (sent) => tell({ sent }), signal);
      if (signal.aborted) return;
      tell({ uploadId, sent: file.size });
      onHeld(uploadId);
    } catch (error) {
      tell({ problem: asProblem(error) });
    }
  };
  return { sending, send, drop };
}
