// After `vite build`: writes dist/sw.js, and each text file once more with gzip beside it, which the api and nginx send as
// it is. fflate's bytes are the same on each machine; those of node's zlib are not.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "fflate";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TEXT = /\.(js|css|html|svg|webmanifest)$/;
const found = () =>
  readdirSync(DIST, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => statSync(join(DIST, name)).isFile())
    .sort();

const kept = found().filter((name) => TEXT.test(name) && name !== "index.html");
const hash = createHash("sha256");
for (const name of ["index.html", ...kept]) hash.update(name).update(readFileSync(join(DIST, name)));
const template = readFileSync(new URL("worker.js", import.meta.url), "utf8");
const files = JSON.stringify(["/app/", ...kept.map((name) => `/${name}`)]);
writeFileSync(
  join(DIST, "sw.js"),
  template.replace('["%FILES%"]', files).replace("%VERSION%", hash.digest("hex").slice(0, 16)),
);

for (const name of found().filter((each) => TEXT.test(each))) {
  const path = join(DIST, name);
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9, mtime: 0 }));
}
