/** What is heard, as the form of a mix. */

import type { Schemas } from "../api";
import { audible, PLAIN } from "../player/gains";
import type { Lane } from "../player/lanes";
import type { Mix } from "../player/mix";

export type Format = NonNullable<Schemas["MixRequest"]["format"]>;

/** Whether anything sounds. */
export function isHeard(mix: Mix, lanes: readonly Lane[]): boolean {
  const strips = lanes.map(({ stem }) => mix.strips[stem] ?? PLAIN);
  const anySolo = strips.some((strip) => strip.solo);
  return strips.some((strip) => audible(strip, anySolo));
}

/**
 * The stems with the player's own levels. The api's `balance` is the player's pan, and its solo leaves mutes as they
 * are, as the player's does: the file is what is heard.
 */
export function mixRequest(
  jobId: string,
  mix: Mix,
  lanes: readonly Lane[],
  format: Format,
  normalise: boolean,
): Schemas["MixRequest"] {
  const tracks = lanes.map(({ stem, key }) => {
    const { db, pan, mute, solo } = mix.strips[stem] ?? PLAIN;
    return { source: { job_id: jobId, output: key }, gain_db: db, pan, mute, solo };
  });
  return { tracks, gain_db: mix.masterDb, pan_law: "balance", normalise, format };
}
