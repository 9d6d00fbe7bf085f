import { answer, client, type Job, Problem } from "../api";
import { randomId } from "../random";
import { lengthOf } from "./length";
import { type JobOptions, requestOf } from "./options";
import { Rate } from "./rate";
import { asProblem, pauseAfter } from "./retry";
import type { Song } from "./song";
import { change, songOf, songs } from "./songs";
import { upload } from "./upload";

const AT_ONCE = 2; // uploads side by side share one line; more only make each of them late

interface Hand {
  abort: AbortController;
  timer: number;
  uploadKey: string;
  jobKey: string;
  failures: number;
}

const hands = new Map<string, Hand>();
let whenSubmitted: (song: Song, job: Job) => void = () => {};

/** Called with each job that a song became. */
export function onSubmitted(listener: typeof whenSubmitted): void {
  whenSubmitted = listener;
}

/** Take files: their bytes start moving at once, so that they are there when the options are chosen. */
export function addFiles(files: Iterable<File>, model: string | null = null): void {
  for (const file of files) {
    const id = add({ name: file.name, source: { file }, model, phase: file.size > 0 ? "waiting" : "failed" });
    if (file.size === 0) change(id, { problem: new Problem("empty_file", "the file has no bytes") });
    void lengthOf(file).then((seconds) => change(id, { seconds }));
  }
  pump();
}

export function addLink(url: string): void {
  add({ name: url, source: { url }, model: null, phase: "held" });
}

/** Refuse a song before anything of it is sent. */
export function refuse(file: File, problem: Problem): void {
  change(add({ name: file.name, source: { file }, model: null, phase: "failed" }), { problem });
}

function add(song: Pick<Song, "name" | "source" | "model" | "phase">): string {
  const id = randomId();
  const fresh = { seconds: null, uploadId: null, sent: 0, rate: null, tries: 0, options: null };
  songs.set([...songs.get(), { id, ...song, ...fresh, problem: null, retryAt: null, jobId: null }]);
  return id;
}

/** Make jobs of all songs that are none yet, as soon as their bytes are there. */
export function submitAll(options: JobOptions): void {
  for (const song of songs.get()) {
    if (!song.options && song.phase !== "failed") change(song.id, { options });
  }
  pump();
}

/** Try a failed song again: its bytes where they are missing, else its job. */
export function retry(id: string, options?: JobOptions): void {
  const song = songOf(id);
  if (!song) return;
  forget(id);
  const lost = song.problem?.code.startsWith("upload_") || !song.uploadId;
  const phase = "url" in song.source ? "held" : lost ? "waiting" : "held";
  const asked = options ?? song.options;
  change(id, {
    phase,
    problem: null,
    retryAt: null,
    options: asked,
    uploadId: phase === "held" ? song.uploadId : null,
  });
  pump();
}

/** Have a song wait for other options: its bytes stay where they are. */
export function reopen(id: string): void {
  const song = songOf(id);
  if (!song) return;
  forget(id);
  change(id, {
    phase: song.uploadId || "url" in song.source ? "held" : "waiting",
    problem: null,
    retryAt: null,
    options: null,
  });
  pump();
}

/** Take a song off the list; what was uploaded of it is deleted, unless a job has it. */
export function remove(id: string): void {
  const song = songOf(id);
  forget(id);
  songs.set(songs.get().filter((each) => each.id !== id));
  if (song?.uploadId && !song.jobId) {
    void client.DELETE("/v1/uploads/{upload_id}", { params: { path: { upload_id: song.uploadId } } }).catch(() => {});
  }
  pump();
}

function forget(id: string): void {
  const hand = hands.get(id);
  hand?.abort.abort(new DOMException("removed", "AbortError"));
  window.clearTimeout(hand?.timer);
  hands.delete(id);
}

function handOf(id: string): Hand {
  let hand = hands.get(id);
  if (!hand) {
    hand = { abort: new AbortController(), timer: 0, uploadKey: randomId(), jobKey: randomId(), failures: 0 };
    hands.set(id, hand);
  }
  return hand;
}

/** Start what can start. */
function pump(): void {
  let free = AT_ONCE - songs.get().filter((song) => song.phase === "uploading").length;
  for (const song of songs.get()) {
    if (song.phase === "waiting" && free > 0) {
      free -= 1;
      void attempt(song.id, send);
    } else if (song.phase === "held" && song.options) {
      void attempt(song.id, submit);
    }
  }
}

/** One step of a song; where it fails in a way that passes, the same again after a pause. */
async function attempt(id: string, step: (id: string, hand: Hand) => Promise<void>): Promise<void> {
  const hand = handOf(id);
  const before = songOf(id)?.phase ?? "waiting";
  try {
    await step(id, hand);
    hand.failures = 0;
  } catch (error) {
    if (hand.abort.signal.aborted) return;
    const problem = asProblem(error);
    const pause = pauseAfter(problem, hand.failures);
    hand.failures += 1;
    if (pause === null) {
      change(id, { phase: "failed", problem, retryAt: null, rate: null });
    } else {
      change(id, { phase: "pausing", problem, retryAt: Date.now() + pause, rate: null });
      hand.timer = window.setTimeout(() => again(id, before), pause);
    }
  }
  pump();
}

function again(id: string, phase: Song["phase"]): void {
  change(id, { phase, problem: null, retryAt: null });
  pump();
}

/** Try all that pauses right now: the network is back. */
export function retryPausing(): void {
  for (const song of songs.get()) {
    const hand = hands.get(song.id);
    if (song.phase !== "pausing" || !hand || song.problem?.code !== "network_error") continue;
    window.clearTimeout(hand.timer);
    again(song.id, song.uploadId || "url" in song.source ? "held" : "waiting");
  }
}

/** Try what failed for want of a session: there is one now. */
export function retryUnauthorized(): void {
  for (const song of songs.get()) {
    if (song.phase === "failed" && song.problem?.code === "unauthorized") retry(song.id);
  }
}

async function send(id: string, hand: Hand): Promise<void> {
  const song = songOf(id);
  if (!song || !("file" in song.source)) return;
  const { file } = song.source;
  change(id, { phase: "uploading", rate: null, tries: song.tries + 1 });
  const rate = new Rate();
  const onSent = (sent: number) => change(id, { sent, rate: rate.after(sent) });
  const uploadId = await upload(file, hand.uploadKey, onSent, hand.abort.signal);
  change(id, { phase: "held", uploadId, sent: file.size, rate: null });
}

async function submit(id: string, hand: Hand): Promise<void> {
  const song = songOf(id);
  if (!song?.options) return;
  change(id, { phase: "submitting" });
  const source = "url" in song.source ? { url: song.source.url } : { upload_id: song.uploadId };
  const job = await answer(
    client.POST("/v1/separations:from-source", {
      body: requestOf({ ...song.options, model: song.model ?? song.options.model }, source),
      params: { header: { "Idempotency-Key": hand.jobKey } },
      signal: hand.abort.signal,
    }),
  );
  change(id, { phase: "submitted", jobId: job.id });
  whenSubmitted(song, job);
}
