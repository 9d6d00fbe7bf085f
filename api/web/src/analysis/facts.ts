import { number } from "../i18n";
import type { Analysis } from "./analysis";
import { keyName } from "./keyName";
import { t } from "./strings";

/** The key and its place on the wheel, short; empty where none was found. */
export function keyWords({ key, camelot }: Analysis): string {
  return key ? t("key.short", { key: keyName(key), camelot: camelot ?? "" }) : "";
}

export function tempoWords({ bpm, steady }: Analysis): string {
  if (bpm === null) return "";
  return t(steady === false ? "bpm.loose" : "bpm.value", { bpm: number(bpm) });
}

/** All that can be said, as names and values. */
export function factsOf(found: Analysis): [string, string][] {
  const said: [string, string][] = [];
  const { key, camelot, open_key: open, bpm, loudness, stereo, clipping } = found;
  if (key) said.push([t("key"), t("key.value", { key: keyName(key), camelot: camelot ?? "–", open: open ?? "–" })]);
  if (bpm !== null) {
    const other = found.bpm_candidates.find((one) => Math.abs(one.bpm / bpm - 1) > 0.02);
    const more = other ? ` (${t("bpm.or", { bpm: number(other.bpm) })})` : "";
    said.push([t("bpm"), tempoWords(found) + more]);
  }
  if (found.time_signature) said.push([t("metre"), found.time_signature]);
  const beats = found.beats?.length;
  if (beats) said.push([t("beats"), t("beats.value", { count: beats, bars: found.downbeats?.length ?? 0 })]);
  if (found.chords?.length) said.push([t("chords"), number(found.chords.length)]);
  if (found.sections?.length) said.push([t("sections"), found.sections.map((section) => section.label).join(" ")]);
  if (found.tuning_hz) said.push([t("tuning"), t("tuning.value", { hz: number(found.tuning_hz) })]);
  if (loudness?.integrated_lufs != null) {
    const range = loudness.range_lu == null ? "–" : number(loudness.range_lu);
    said.push([t("loudness"), t("loudness.value", { lufs: number(loudness.integrated_lufs), range })]);
  }
  if (loudness?.true_peak_dbtp != null) {
    said.push([t("peak"), t("peak.value", { db: number(loudness.true_peak_dbtp) })]);
  }
  if (stereo?.correlation != null && stereo.width != null) {
    const width = number(stereo.width * 100);
    said.push([t("stereo"), t("stereo.value", { correlation: number(stereo.correlation, 2), width })]);
  }
  if (clipping?.samples) said.push([t("clipping"), t("clipping.value", { count: clipping.samples })]);
  const heard = (["none", "given", "earlier", "separated"] as const).find((one) => one === found.stems);
  if (heard) said.push([t("heard"), t(`heard.${heard}`)]);
  return said;
}
