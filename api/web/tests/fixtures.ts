import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import Ajv from "ajv/dist/2020";
import addFormats from "ajv-formats";
import type { Job, JobSummary, Schemas } from "../src/api";

const spec = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../openapi.json"), "utf8")) as {
  components: { schemas: Record<string, object> };
};
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addFormat("url", (text: string) => URL.canParse(text)); // localhost, too
ajv.addSchema({ ...spec, $id: "openapi" });

/** `value`, if the API's own description says that it may send this. */
export function valid<N extends keyof Schemas>(name: N, value: Schemas[N]): Schemas[N] {
  const check = ajv.getSchema(`openapi#/components/schemas/${name}`);
  if (!check) throw new Error(`no schema ${name}`);
  if (!check(value)) throw new Error(`${name}: ${ajv.errorsText(check.errors)}`);
  return value;
}

export const session = valid("Session", {
  open: true,
  signed_in: false,
  key_id: null,
  key_name: null,
  scopes: ["submit", "read", "admin"],
  max_priority: "high",
  expires_at: null,
});

export const limits = valid("Limits", {
  max_upload_bytes: 1000,
  max_duration_seconds: 600,
  max_jobs_per_batch: 100,
  max_metadata_bytes: 4096,
  max_waiting_jobs: 100,
  max_open_uploads: 20,
  max_stored_bytes: null,
  minutes_per_day: null,
  max_priority: "normal",
  url_sources: true,
  submits: true,
  formats: [
    { name: "flac", content_type: "audio/flac", bit_depths: ["16", "24"] },
    { name: "mp3", content_type: "audio/mpeg", bit_depths: [] },
  ],
  sample_rates: [8000, 192000],
  devices: ["cpu"],
  kinds: ["separate"],
  models: ["demo"],
  default_model: "demo",
  files_seconds: 604800,
  jobs_seconds: null,
  upload_seconds: 86400,
  url_seconds: 3600,
  share_seconds: 2592000,
  session_seconds: 86400,
  retry_limit: 3,
  wait_seconds: 60,
});

export const model = valid("Model", {
  name: "demo",
  summary: "small HTDemucs",
  family: "htdemucs",
  stems: ["drums", "bass", "other", "vocals"],
  sample_rate: 44100,
  segment_seconds: 3,
  licence: "MIT",
  licence_doubt: null,
  deprecated: null,
  fallback: null,
  default: true,
  devices: ["cpu"],
  sdr: null,
  lacking: null,
});

export const presets = [
  valid("Preset", {
    name: "karaoke",
    summary: "the song without its singer",
    model: "demo",
    stems: ["vocals", "minus_vocals"],
    why: "quality karaoke: demo",
  }),
  valid("Preset", { name: "dereverb", summary: "no reverb", model: null, stems: [], why: "nothing here can serve it" }),
];

export function summary(values: Partial<JobSummary> = {}): JobSummary {
  return valid("JobSummary", {
    id: "0f8fad5bd9cb469fa16570867728950e",
    kind: "separate",
    state: "running",
    model: "demo",
    name: "Yellow",
    filename: "Yellow.flac",
    format: "flac",
    stems: [],
    duration_seconds: 222,
    stems_expire_at: null,
    progress: { fraction: 0.581, stage: "separating", eta_seconds: 40 },
    attempt: 1,
    created_at: "2026-11-28T12:00:00+00:00",
    started_at: "2026-11-28T12:00:01+00:00",
    finished_at: null,
    error: null,
    ...values,
  });
}

export function job(values: Partial<Job> = {}): Job {
  const own = "http://localhost:3000/v1/jobs/0f8fad5bd9cb469fa16570867728950e";
  return valid("Job", {
    id: "0f8fad5bd9cb469fa16570867728950e",
    kind: "separate",
    params: {},
    state: "running",
    model: "demo",
    device: "auto",
    format: "flac",
    formats: ["flac"],
    bit_depth: null,
    residual: false,
    overlap: 0.25,
    shifts: 0,
    seed: 0,
    segment: null,
    precision: "auto",
    filename: "Yellow.flac",
    progress: { fraction: 0.581, stage: "separating", eta_seconds: 40 },
    queue_position: null,
    priority: "normal",
    pool: "separate.demo.cpu",
    attempt: 1,
    max_attempts: 3,
    created_at: "2026-11-28T12:00:00+00:00",
    started_at: "2026-11-28T12:00:01+00:00",
    finished_at: null,
    source: null,
    inputs: [],
    sample_rate: null,
    source_url: null,
    webhook_url: null,
    webhook_events: [],
    cached: false,
    retry_of: null,
    urls: { self: own, cancel: `${own}/cancel`, events: `${own}/events`, archive: null },
    manifest: null,
    archive: null,
    peaks: null,
    preview: null,
    filename_template: "{name} ({stem})",
    tags: true,
    title_template: "{title} ({stem})",
    metadata: {},
    files: {},
    facts: {},
    stems: {},
    error: null,
    warnings: [],
    timeline: [],
    ...values,
  });
}

export function problem(code: Schemas["ErrorCode"], status: number, detail = "what the api says"): Schemas["Problem"] {
  return valid("Problem", {
    type: `http://localhost:3000/docs/errors#${code}`,
    title: "a status",
    status,
    code,
    detail,
    request_id: "4d2f7a",
  });
}
