// A real service: `stemsvc up` over a folder of its own, with the demo model alone, and each kind of work.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const PYTHON = process.env.PYTHON ?? join(ROOT, ".venv/bin/python");
export const SONG = join(ROOT, "stemsvc/demo/song/mixture.flac");
const START_MS = 600_000; // a busy machine takes its time
const SERVED = ["demo", "analyze", "mix", "master", "transcribe", "export", "generate"];
const POOLS = SERVED.map((served) => `${served}:cpu`).join();
/** How many times as long as usual everything may take: PATIENCE=5 for a machine that has other work. */
export const PATIENCE = Number(process.env.PATIENCE ?? 1);
const MAIN = "from stemsvc.cli.main import main; main()";

/** Call `check` until it gives something; fails after `ms` with what was waited for. */
export async function until(what, check, ms = 60_000, pause = 100) {
  const end = Date.now() + ms * PATIENCE;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export class Stack {
  static async start(settings = {}) {
    const stack = new Stack();
    stack.folder = mkdtempSync(join(tmpdir(), "stemsvc-web-"));
    stack.url = `http://127.0.0.1:${await freePort()}`;
    const environment = { ...process.env, STEMSVC_POOLS: POOLS, OMP_NUM_THREADS: "1", ...settings };
    const port = new URL(stack.url).port;
    const call = ["-c", MAIN, "up", "--data-dir", stack.folder, "--port", port];
    stack.process = spawn(PYTHON, call, { cwd: ROOT, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    process.once("exit", () => stack.process.kill("SIGINT"));
    stack.said = "";
    for (const pipe of [stack.process.stdout, stack.process.stderr]) pipe.on("data", (text) => (stack.said += text));
    await until("the stack", () => stack.said.includes("stemsvc is up") || stack.ended(), START_MS);
    return stack;
  }

  ended() {
    if (this.process.exitCode !== null) throw new Error(`stemsvc up ended:\n${this.said}`);
    return false;
  }

  /** Process ids of the stack's own processes whose command has these words. */
  pids(...words) {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          const parent = /\) \w (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
          const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
          return Number(parent) === this.process.pid && words.every((word) => command.includes(word));
        } catch {
          return false; // it has just ended
        }
      })
      .map(Number);
  }

  async get(path, key = null) {
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const answer = await fetch(this.url + path, { headers });
    return answer.json();
  }

  async stop() {
    this.process.kill("SIGINT");
    await until("the stack's end", () => this.process.exitCode !== null || this.process.signalCode !== null, 60_000);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
