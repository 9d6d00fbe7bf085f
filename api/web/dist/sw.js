// The service worker: it keeps the page's own files for when nobody answers, and what the service said last of who the
// reader is and of jobs. The player keeps what it has played of songs by itself. FILES and VERSION are put in by the build.
const VERSION = "4f77201d879ca8b9";
const FILES = ["/app/","/assets/Alone-Dck3t1FR.js","/assets/AnalysisView-CP8Xt7hT.css","/assets/AnalysisView-wc2qOJqB.js","/assets/AnalyzePanel-COfQNxin.js","/assets/Button-Bz-bP9n5.css","/assets/Button-D9f_9JLC.js","/assets/Chat-BbGlCcW5.css","/assets/Chat-DdkQJSwo.js","/assets/Disclosure-CvvN4shs.css","/assets/Disclosure-D6Mnj6LU.js","/assets/ExportPanel-DHYP5wqE.css","/assets/ExportPanel-Dd4bSmaj.js","/assets/FromChoice-Dl55UGTz.js","/assets/LinkButton-B2_s-r_V.js","/assets/MadeView-S3l32muU.js","/assets/MasterPanel-BIUFhzsO.js","/assets/MasterView-BeEGn1bF.css","/assets/MasterView-D3yeBKtG.js","/assets/Mixdown-B2N1p0gm.css","/assets/Mixdown-DpBHNHsY.js","/assets/NotesPanel-UAk3wWBe.js","/assets/NotesView-BcJYBuG6.css","/assets/NotesView-D5x60JUC.js","/assets/Ops-DdImutqy.css","/assets/Ops-cvp9QKRx.js","/assets/Recipes-BihYPkfw.css","/assets/Recipes-BrumP2U2.js","/assets/Scrolled-BvH-ijZn.js","/assets/Scrolled-Ce_MEbfD.css","/assets/Seek-CDiKPQKY.js","/assets/Seek-CVSXggTL.css","/assets/Settings-CNnSNHsD.js","/assets/Settings-D6hxQHq6.css","/assets/Share-BjZd1wuM.js","/assets/Shared-CVYWLiJV.css","/assets/Shared-Y38zDwnx.js","/assets/Shortcuts-nQUBh_tX.js","/assets/SongPicker-B34V1r3F.js","/assets/SongPicker-xRFvAMvu.css","/assets/SongStrip-Cd2LnOzG.js","/assets/Strip-BajzoHEY.css","/assets/Strip-DIDWeZki.js","/assets/Table-3QA-OifZ.css","/assets/Table-DtOqKC8M.js","/assets/WorkPanel-C6w1MBCk.js","/assets/WorkPanel-Cd8PFgpy.css","/assets/Workbench-BHRiC2MW.js","/assets/Workbench-BtVQIs6i.css","/assets/WorkflowPage-B4Xf9jyW.js","/assets/WorkflowPage-l-ddMyK6.css","/assets/api-DXHgKJLM.js","/assets/catalog-i-aL4ulg.js","/assets/connection-BHBJlI3q.js","/assets/createLucideIcon-CGVhHBZn.js","/assets/files-BukCmYOn.js","/assets/heard-BtFlkRz3.js","/assets/i18n-CzXFF3L2.js","/assets/index-D4h3MVfO.css","/assets/index-Dulwx3cF.js","/assets/keyName-B4NcrWs-.js","/assets/play-B14KpIF8.js","/assets/player-B729HV9x.js","/assets/player-srvrzojY.css","/assets/plus-Ch5Fol5Y.js","/assets/random-BjL6XjD1.js","/assets/served-DpYNUGYl.js","/assets/strings-0rCIfW_u.js","/assets/strings-CnKmZ12E.js","/assets/strings-cW0CeS0a.js","/assets/useMutation-Cp7Ha_UP.js","/assets/worklet-CaBUs5FG.js","/assets/works-CITlczjN.js","/icon.svg","/manifest.webmanifest"];
const PAGE = "/app/"; // `/` gives programs links, and a service worker asks like one
const KEPT = "stemsvc-page-";
const cacheName = KEPT + VERSION;
const PAGES = /^\/($|app\/|s\/)/;
const ANSWERS = "stemsvc-answers";
const ANSWERED = /^\/v1\/(session|limits|jobs|jobs\/[0-9a-f]{32}|shared\/[^/]+)$/;
const MOST_ANSWERS = 100;
const OVER = new Set([401, 403, 404, 410]); // gone, or no longer theirs
const SESSION = "/v1/session";
const PERSONAL = [ANSWERS, "stemsvc-player."]; // the player's caches begin so
const FROM_BEFORE = "X-Stemsvc-Kept"; // tells the page that nobody has answered

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(FILES)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys().then(async (names) => {
      const old = names.filter((name) => name.startsWith(KEPT) && name !== cacheName);
      await Promise.all(old.map((name) => caches.delete(name)));
      await self.clients.claim();
    }),
  );
});

self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (url.pathname === SESSION && request.method !== "GET") {
    event.respondWith(signing(request));
  } else if (request.method !== "GET") {
    return;
  } else if (request.mode === "navigate" && PAGES.test(url.pathname)) {
    // the service's page first: it may be newer; every path of it is the same file
    event.respondWith(fetch(request).catch(async () => (await caches.match(PAGE)) ?? Response.error()));
  } else if (FILES.includes(url.pathname)) {
    event.respondWith(caches.match(url.pathname).then((kept) => kept ?? fetch(request)));
  } else if (ANSWERED.test(url.pathname)) {
    event.respondWith(answered(event));
  }
});

/** The service's answer, which is kept; where nobody answers, the one from before. */
async function answered(event) {
  const { request } = event;
  const cache = await caches.open(ANSWERS);
  let response;
  try {
    response = await fetch(request);
  } catch (error) {
    const kept = await cache.match(request);
    if (!kept) throw error;
    const headers = new Headers(kept.headers);
    headers.set(FROM_BEFORE, "1");
    return new Response(kept.body, { status: kept.status, headers });
  }
  if (response.ok) event.waitUntil(keep(cache, request, response.clone()));
  else if (OVER.has(response.status)) event.waitUntil(cache.delete(request));
  return response;
}

async function keep(cache, request, response) {
  await cache.delete(request); // the newest stands last
  await cache.put(request, response);
  const all = await cache.keys();
  await Promise.all(all.slice(0, Math.max(0, all.length - MOST_ANSWERS)).map((one) => cache.delete(one)));
}

/** Whoever signs in or out leaves nothing here for the next reader. */
async function signing(request) {
  const names = await caches.keys();
  const personal = names.filter((name) => PERSONAL.some((start) => name.startsWith(start)));
  await Promise.all(personal.map((name) => caches.delete(name)));
  return fetch(request);
}
