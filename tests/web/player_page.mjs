// Serves the built page with one song as a shared page, without a service: to look at the player, and to measure it.
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { ROOT } from "./stack.mjs";

const DIST = process.env.DIST ?? join(ROOT, "api/web/dist");
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
};
// as api/edge/page_policy.py has it
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
  "media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; " +
  "frame-ancestors 'none'; require-trusted-types-for 'script'";

/** Serves songs by name, each a folder with peaks.bin, preview.pack and preview.json. */
export async function serve(songs) {
  const server = createServer((request, response) => answer(songs, server, request, response));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.url = `http://127.0.0.1:${server.address().port}`;
  return server;
}

function answer(songs, server, request, response) {
  const { pathname } = new URL(request.url, server.url);
  const shared = /^\/v1\/shared\/(\w+)$/.exec(pathname)?.[1];
  const file = /^\/files\/(\w+)\/([\w.]+)$/.exec(pathname);
  if (shared && songs[shared]) return json(response, 200, job(server.url, shared, songs[shared]));
  if (file && songs[file[1]]) return send(join(songs[file[1]], file[2]), request, response);
  if (pathname.startsWith("/v1/")) return json(response, 404, { code: "job_not_found", detail: "no such job" });
  const asset = join(DIST, pathname);
  if (extname(pathname) && existsSync(asset)) return send(asset, request, response);
  response.writeHead(200, { "Content-Type": "text/html", "Content-Security-Policy": POLICY });
  return response.end(readFileSync(join(DIST, "index.html")));
}

function json(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}

function send(path, request, response) {
  const { size } = statSync(path);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const from = range ? Number(range[1]) : 0;
  const to = Math.min(size, range?.[2] ? Number(range[2]) + 1 : size);
  const headers = { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream", "Content-Length": to - from };
  response.writeHead(
    range ? 206 : 200,
    range ? { ...headers, "Content-Range": `bytes ${from}-${to - 1}/${size}` } : headers,
  );
  createReadStream(path, { start: from, end: to - 1 }).pipe(response);
}

function job(base, name, folder) {
  const index = JSON.parse(readFileSync(join(folder, "preview.json"), "utf8"));
  const link = (file) => ({
    url: `${base}/files/${name}/${file}`,
    expires_at: new Date(Date.now() + 3.6e6).toISOString(),
    bytes: statSync(join(folder, file)).size,
    sha256: `${name}-${file}`,
  });
  const file = (stem, place) => ({
    ...link("preview.pack"),
    stem,
    format: "flac",
    filename: `Song - ${stem}.flac`,
    content_type: "audio/flac",
    frames: index.frames,
    sample_rate: index.sample_rate,
    channels: 2,
    duration_seconds: index.frames / index.sample_rate,
    loudness_lufs: -14.2 - 1.7 * place,
    silent: false,
  });
  return {
    name: "A song of ten minutes",
    kind: "separate",
    state: "succeeded",
    model: "htdemucs_6s",
    format: "flac",
    progress: { fraction: 1, stage: "done", eta_seconds: null },
    created_at: new Date().toISOString(),
    finished_at: new Date().toISOString(),
    expires_at: new Date(Date.now() + 8.64e7).toISOString(),
    source: { duration_seconds: index.frames / index.sample_rate, sample_rate: index.sample_rate },
    files: Object.fromEntries(index.stems.map((stem, place) => [stem, file(stem, place)])),
    archive: { url: `${base}/files/${name}/preview.pack`, bytes: 123456789, filename: "Song - stems.zip" },
    peaks: link("peaks.bin"),
    preview: { pack: link("preview.pack"), index: link("preview.json") },
  };
}
