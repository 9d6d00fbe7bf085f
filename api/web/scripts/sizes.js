// Prints what the page weighs as it is sent (gzip), and fails above a bar: everything that index.html asks for, and the
// player's own files with what they import.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const FIRST_LOAD = 130_000;
const PLAYER = 25_000;

const index = readFileSync(`${DIST}index.html`, "utf8");
const first = [...index.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((match) => match[1]);
const weigh = (names) => names.reduce((sum, name) => sum + statSync(`${DIST}${name}.gz`).size, 0);
const assets = readdirSync(`${DIST}assets`).filter((name) => /\.(js|css)$/.test(name));
const own = assets.filter((name) => /^(player|worklet|mixer|stretch)/i.test(name)).map((name) => `assets/${name}`);
const imported = (name) =>
  [...readFileSync(`${DIST}${name}`, "utf8").matchAll(/from"\.\/([^"]+)"/g)].map((match) => `assets/${match[1]}`);
const player = [...new Set([...own, ...own.flatMap(imported)])].filter((name) => !first.includes(name));

let bad = false;
for (const [what, names, bar] of [
  ["first load (JS + CSS)", first, FIRST_LOAD],
  ["player", player, PLAYER],
]) {
  const bytes = weigh(names);
  bad ||= bytes > bar;
  console.log(
    `${what}: ${(bytes / 1000).toFixed(1)} kB gz of at most ${bar / 1000}${bytes > bar ? "  TOO LARGE" : ""}`,
  );
}
const rest = assets.map((name) => `assets/${name}`).filter((name) => !first.includes(name) && !player.includes(name));
console.log(`other parts, when asked for: ${(weigh(rest) / 1000).toFixed(1)} kB gz`);
process.exit(bad ? 1 : 0);
