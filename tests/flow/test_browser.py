"""A real browser that opens pages of other sites, while the api asks for no key."""

from __future__ import annotations

import hashlib
import http.client
import json
import queue
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from stemsvc.demo import SONG
from stemsvc.embedded.ports import free_port
from stemsvc.embedded.processes import StackProcess
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from stemsvc.storage.local import LocalStorage
from tests.processes import LocalProcess, plain_environment, stemsvc
from tests.programs import need

pytestmark = pytest.mark.long
FLAGS = [
    "--headless",
    "--no-sandbox",  # which root may not have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",  # nothing but what the page asks for
    "--disable-component-update",
    "--disable-sync",
]
PAGE = """<!doctype html><title>a page</title><body><script>
const song = new File(["music"], "song.mp3", {type: "audio/mpeg"});
function form() { const data = new FormData(); data.append("file", song); return data; }
async function ask(url, options) {
  try {
    const answer = await fetch(url, options);
    return [answer.status, answer.type === "opaque" ? "" : await answer.text()];
  } catch (error) { return [0, String(error)]; }
}
function sent(action, sandbox) {  // submits a form, as a page may to any site, and waits for the answer in a frame
  return new Promise(done => {
    const frame = document.createElement("iframe");
    let loads = 0;
    frame.onload = () => { if (++loads === 2) done("sent"); };  // the form's page, then the answer
    if (sandbox) frame.sandbox = "allow-scripts allow-forms";
    const text = `<form method="post" enctype="multipart/form-data" action="${action}">` +
      `<input type="file" name="file"></form>` +
      `<script>const files = new DataTransfer(); files.items.add(new File(["music"], "song.mp3"));` +
      `document.querySelector("input").files = files.files;` +
      `onload = () => setTimeout(() => document.querySelector("form").submit());</` + `script>`;
    frame.srcdoc = text;
    document.body.append(frame);
    setTimeout(() => done("late"), 8000);  // where the browser shows no answer of a site that may not be framed
  });
}
(async () => { const report = await (async () => { %s })();
  await fetch("/report", {method: "POST", body: JSON.stringify(report)}); })();
</script>"""


@dataclass
class Pages:
    """A server of pages under any name. What is not one of its pages, it has the api answer under that name.

    So a browser sees what it would see of a name that first led to a page, and now leads to the api.
    """

    api_port: int
    port: int = 0
    scripts: dict[str, str] = field(default_factory=dict)
    reports: queue.Queue[Any] = field(default_factory=queue.Queue)


class _Handler(BaseHTTPRequestHandler):
    pages: Pages

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/report":
            self.pages.reports.put(json.loads(body))
            self._answer(200, "text/plain", b"")
        elif script := self.pages.scripts.get(self.path):
            self._answer(200, "text/html", (PAGE % script).encode())
        elif self.path.startswith("/v1/"):
            api = http.client.HTTPConnection("127.0.0.1", self.pages.api_port, timeout=30)
            api.request(self.command, self.path, body, dict(self.headers.items()))
            answer = api.getresponse()
            self._answer(answer.status, answer.getheader("Content-Type", ""), answer.read())
            api.close()
        else:
            self._answer(404, "text/plain", b"")

    do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - the names that http.server calls

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module", autouse=True)
def chromium() -> str:
    """The browser, looked for before anything is started."""
    return need("chromium")


@pytest.fixture
def pages() -> Iterator[Pages]:
    found = Pages(free_port())
    handler = type("Handler", (_Handler,), {"pages": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.port = server.server_port
        yield found
        server.shutdown()


@pytest.fixture
def api(pages: Pages, tmp_path: Path) -> Iterator[httpx.Client]:
    """An api without keys that names one site, and a client of it that is no browser."""
    url = f"http://127.0.0.1:{pages.api_port}"

    def answers(_: LocalProcess) -> bool:
        try:
            return httpx.get(f"{url}/healthz/live", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    environment = plain_environment(
        STEMSVC_DATA_DIR=str(tmp_path / "data"),
        STEMSVC_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0",
        STEMSVC_CORS_ORIGINS=f"http://band.example:{pages.port}",
    )
    process = LocalProcess("api", stemsvc("api", "--port", str(pages.api_port)), environment, tmp_path, answers)
    process.ready()
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client
    process.teardown()


def browse(pages: Pages, host: str, script: str, folder: Path) -> Any:
    """What the page with this script reports when a browser opens it under that name."""
    pages.scripts["/page"] = script
    flags = [*FLAGS, f"--user-data-dir={folder / 'browser'}", "--host-resolver-rules=MAP *.example 127.0.0.1"]
    browser = StackProcess(
        "chromium",
        [need("chromium"), *flags, "--remote-debugging-port=0", f"http://{host}:{pages.port}/page"],
        plain_environment(),
        folder / "chromium.log",
    )
    browser.start()
    try:
        return pages.reports.get(timeout=60)
    except queue.Empty:
        raise AssertionError(f"no report:\n{browser.tail(40)}") from None
    finally:
        browser.stop(10)


def ids(api: httpx.Client) -> list[str]:
    return [job["id"] for job in api.get("/v1/jobs").json()["jobs"]]


def submit(api: httpx.Client) -> str:
    with SONG.open("rb") as song:
        return str(api.post("/v1/jobs", files={"file": song}).json()["id"])


def test_a_name_that_now_leads_to_the_api_opens_nothing(api: httpx.Client, pages: Pages, tmp_path: Path) -> None:
    job = submit(api)
    script = f"""return [await ask("/v1/jobs"), await ask("/v1/jobs/{job}", {{method: "DELETE"}}),
                         await ask("/v1/jobs", {{method: "POST", body: form()}})];"""

    for status, text in browse(pages, "evil.example", script, tmp_path):
        assert (status, json.loads(text)["code"]) == (403, "host_refused")
    assert ids(api) == [job]

    # and the same page under this machine's own name is the api's own
    listed, deleted, made = browse(pages, "localhost", script, tmp_path)
    assert (listed[0], deleted[0], made[0]) == (200, 204, 201)


def test_forms_and_requests_of_another_site_make_no_job(api: httpx.Client, pages: Pages, tmp_path: Path) -> None:
    script = f"""const jobs = "http://127.0.0.1:{pages.api_port}/v1/jobs";
      return [await sent(jobs, false), await sent(jobs, true),
              await ask(jobs, {{method: "POST", body: form(), mode: "no-cors"}}),
              await ask(jobs, {{method: "POST", body: form()}})];"""

    report = browse(pages, "evil.example", script, tmp_path)

    assert (report[2][0], report[3][0]) == (0, 0)  # they were sent; their answers are not shown to the page
    refused = r'^stemsvc_http_seconds_count{method="POST",route="/v1/jobs",status="403"} 4.0$'
    assert re.search(refused, api.get("/metrics").text, re.MULTILINE)  # all four came
    assert ids(api) == []


def test_a_named_site_sends_songs_and_uploads(api: httpx.Client, pages: Pages, tmp_path: Path) -> None:
    script = f"""const api = "http://127.0.0.1:{pages.api_port}/v1";
      const made = await ask(api + "/jobs", {{method: "POST", body: form()}});
      const place = JSON.parse((await ask(api + "/uploads", {{method: "POST"}}))[1]);
      return [made, await ask(place.url, {{method: "PUT", body: song}}), await ask(api + "/jobs")];"""

    made, put, listed = browse(pages, "band.example", script, tmp_path)

    assert (made[0], put[0], listed[0]) == (201, 200, 200)
    assert ids(api) == [json.loads(made[1])["id"]]


LISTEN = """
async function heard(url, crossorigin) {  // what an <audio> tells of itself: it loads, seeks and plays
  const audio = document.createElement("audio");
  audio.muted = true;
  if (crossorigin) audio.crossOrigin = "anonymous";
  const told = new Promise((done, failed) => {
    audio.onerror = () => failed(audio.error.message || String(audio.error.code));
    audio.onloadedmetadata = () => { audio.currentTime = audio.duration / 2; };
    audio.onseeked = () => audio.play().catch(failed);
    audio.ontimeupdate = () => { if (audio.currentTime > audio.duration / 2 + 0.05) done(); };
    setTimeout(() => failed("late"), 30000);
  });
  document.body.append(audio);
  audio.src = url;
  try { await told; } catch (error) { return [String(error), 0, 0]; }
  return ["plays", audio.duration, audio.currentTime];
}
"""


def finished(api: httpx.Client, folder: Path) -> dict[str, Any]:
    """A job that has succeeded; its one stem is the song itself."""
    job, digest = submit(api), hashlib.sha256(SONG.read_bytes()).hexdigest()
    store = JobStore(Settings(data_dir=folder / "data").resolved_database_url)
    taken = store.leases.take(job, "worker", 60)
    assert taken
    key = f"{taken[1].prefix}/vocals.flac"
    with SONG.open("rb") as song:
        LocalStorage(folder / "data" / "objects", b"the api signs").put(key, song, "audio/flac")
    facts = {"key": key, "bytes": SONG.stat().st_size, "sha256": digest, "content_type": "audio/flac"}
    assert store.leases.succeed(taken[1], {}, {"vocals": facts})
    store.close()
    found: dict[str, Any] = api.get(f"/v1/jobs/{job}").json()
    return found


def test_a_stem_plays_on_the_page_of_every_site(api: httpx.Client, pages: Pages, tmp_path: Path) -> None:
    url = finished(api, tmp_path)["stems"]["vocals"]["url"]

    how, length, reached = browse(pages, "evil.example", f'{LISTEN} return await heard("{url}", false);', tmp_path)

    assert how == "plays"
    assert length / 2 < reached < length
    seeks = r'^stemsvc_http_seconds_count{method="GET",route="/v1/files/<path:key>",status="206"} \d'
    assert re.search(seeks, api.get("/metrics").text, re.MULTILINE)


def test_a_named_site_s_script_reads_a_stem_and_what_it_needs_to_check_it(
    api: httpx.Client, pages: Pages, tmp_path: Path
) -> None:
    job = finished(api, tmp_path)
    stem = job["stems"]["vocals"]
    script = f"""{LISTEN}
      const answer = await fetch("{stem["url"]}", {{headers: {{
        "Range": "bytes=0-3", "If-Range": '"{stem["sha256"]}"',
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}});
      const names = ["ETag", "Content-Range", "Accept-Ranges", "Content-Disposition"];
      const told = names.map(name => answer.headers.get(name));
      return [await heard("{stem["url"]}", true), answer.status, await answer.text(), told];"""

    heard, status, text, told = browse(pages, "band.example", script, tmp_path)

    assert (heard[0], status, text) == ("plays", 206, "fLaC")
    assert told[:3] == [f'"{stem["sha256"]}"', f"bytes 0-3/{stem['bytes']}", "bytes"]
    assert "vocals" in told[3]


def test_a_page_uploads_with_the_headers_that_it_is_told(api: httpx.Client, pages: Pages, tmp_path: Path) -> None:
    script = f"""const api = "http://127.0.0.1:{pages.api_port}/v1", json = {{"Content-Type": "application/json"}};
      const place = JSON.parse((await ask(api + "/uploads", {{method: "POST", headers: json,
        body: JSON.stringify({{filename: "song.mp3", bytes: song.size}})}}))[1]);
      const put = await ask(place.url, {{method: place.method, headers: place.headers, body: song}});
      const body = JSON.stringify({{source: {{upload_id: place.upload_id}}}});
      return [put, await ask(api + "/separations:from-source", {{method: "POST", headers: json, body}})];"""

    put, made = browse(pages, "band.example", script, tmp_path)

    assert (put[0], made[0]) == (200, 201)
