import { expect, test } from "vitest";
import { isHeard, mixRequest } from "../../src/mixdown/request";
import type { Lane } from "../../src/player/lanes";
import { firstMix } from "../../src/player/mix";

const LANES = ["vocals", "drums"].map((stem) => ({ stem, key: `${stem}-flac`, file: {} })) as unknown as Lane[];
const ID = "0".repeat(32);

function mixed(change: Partial<ReturnType<typeof firstMix>["strips"][string]>) {
  const mix = firstMix(["vocals", "drums"]);
  mix.strips.vocals = { ...mix.strips.vocals, db: 0, pan: 0, mute: false, solo: false, ...change };
  return mix;
}

test("a mix asks for what is heard, file by file", () => {
  const request = mixRequest(ID, { ...mixed({ db: -6, pan: -0.2, mute: true }), masterDb: 2 }, LANES, "mp3", true);
  expect(request).toEqual({
    tracks: [
      { source: { job_id: ID, output: "vocals-flac" }, gain_db: -6, pan: -0.2, mute: true, solo: false },
      { source: { job_id: ID, output: "drums-flac" }, gain_db: 0, pan: 0, mute: false, solo: false },
    ],
    gain_db: 2,
    pan_law: "balance",
    normalise: true,
    format: "mp3",
  });
});

test("nothing is heard where the only solo is muted, or all are", () => {
  expect(isHeard(mixed({}), LANES)).toBe(true);
  expect(isHeard(mixed({ mute: true }), LANES)).toBe(true);
  expect(isHeard(mixed({ mute: true, solo: true }), LANES)).toBe(false);
});
