import { answer, client, type Job, type Schemas } from "../api";

/** What each kind of work is asked with, once there is a separation. */
export interface Bodies {
  analyze: Schemas["AnalyzeRequest"];
  export: Schemas["ExportRequest"];
  master: Schemas["MasterRequest"];
  mix: Schemas["MixRequest"];
  transcribe: Schemas["TranscribeRequest"];
}

export type Work = keyof Bodies;
type Create = { [W in Work]: (body: Bodies[W], params: { header: { "Idempotency-Key": string } }) => Promise<Job> };

const CREATE: Create = {
  analyze: (body, params) => answer(client.POST("/v1/analyses:from-source", { body, params })),
  export: (body, params) => answer(client.POST("/v1/exports:from-source", { body, params })),
  master: (body, params) => answer(client.POST("/v1/masters:from-source", { body, params })),
  mix: (body, params) => answer(client.POST("/v1/mixes:from-source", { body, params })),
  transcribe: (body, params) => answer(client.POST("/v1/transcriptions:from-source", { body, params })),
};

/** Make a job. The same `key` again makes no second one. Throws Problem. */
export function create<W extends Work>(work: W, body: Bodies[W], key: string): Promise<Job> {
  return CREATE[work](body, { header: { "Idempotency-Key": key } });
}
