/** The keys of headsets and lock screens. */

import type { Engine } from "./engine";

const JUMP = 5;

/** Take them; returns what gives them back. */
export function takeMediaKeys(engine: Engine, title: string): () => void {
  const { mediaSession } = navigator as { mediaSession?: MediaSession };
  if (!mediaSession) return () => undefined;
  mediaSession.metadata = new MediaMetadata({ title, artist: "stemsvc" });
  const actions: Partial<Record<MediaSessionAction, MediaSessionActionHandler>> = {
    play: () => void engine.play(),
    pause: () => engine.pause(),
    stop: () => engine.pause(),
    seekbackward: (how) => engine.seek(engine.position - (how.seekOffset ?? JUMP)),
    seekforward: (how) => engine.seek(engine.position + (how.seekOffset ?? JUMP)),
    seekto: (how) => engine.seek(how.seekTime ?? 0),
    previoustrack: () => engine.seek(0),
  };
  for (const [action, handler] of Object.entries(actions)) set(mediaSession, action as MediaSessionAction, handler);
  const stop = engine.state.subscribe(() => {
    const { playing } = engine.state.get();
    mediaSession.playbackState = playing ? "playing" : "paused";
    if (engine.duration > 0) {
      const { tempo } = engine.mix.get();
      mediaSession.setPositionState({ duration: engine.duration, position: engine.position, playbackRate: tempo });
    }
  });
  return () => {
    stop();
    mediaSession.metadata = null;
    mediaSession.playbackState = "none";
    for (const action of Object.keys(actions)) set(mediaSession, action as MediaSessionAction, null);
  };
}

function set(session: MediaSession, action: MediaSessionAction, handler: MediaSessionActionHandler | null): void {
  try {
    session.setActionHandler(action, handler);
  } catch {
    // this browser does not know that key
  }
}
