"""Faults of clients: hostile files, too many jobs, one request many times."""

from __future__ import annotations

import itertools
import struct
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
from stemsvc_client import Client, UsageError

from tests.faults.stage import LONGEST, SHORT, Stage

PLACES = 20  # for jobs in the bounded queue
DECODES = ("truncated.flac", "4-GB-header.wav", "10-hours.flac")  # a part of these is music, whatever a header says


def send_hostile_files(stage: Stage) -> float:
    before = _pool_processes(stage)
    start = time.monotonic()
    jobs = {}
    for name, data in hostile(stage).items():
        path = stage.folder / name
        path.write_bytes(data)
        stage.fault()
        try:
            job_id = str(stage.client.submit(path, stems="vocals")["id"])
        except UsageError as refusal:
            assert refusal.code in ("empty_file", "track_too_long"), (name, refusal)  # noqa: PT017
        else:
            jobs[name] = job_id if name in DECODES else stage.expect(job_id, ends="failed")
    stage.end(*jobs.values())
    took = time.monotonic() - start
    for name, job_id in jobs.items():
        right = (None,) if name in DECODES else ()
        assert (code := stage.error(job_id)) not in {None, "internal_error", "worker_lost", "time_limit"} - {*right}, (
            name,
            code,
        )
        assert stage.attempts(job_id) == 1, name
    assert stage.end(stage.send()) < 60
    assert _pool_processes(stage) == before  # the same processes: no file killed one
    return took


def hostile(stage: Stage) -> dict[str, bytes]:
    """Hostile files by name."""
    flac = stage.songs[SHORT].read_bytes()
    pcm = bytes(4 * 44100)
    huge = 0xFFFFFF00
    return {
        "empty.wav": b"",
        "text.mp3": b"this is no music\n" * 1000,
        "noise.bin": bytes(range(256)) * 500,
        "truncated.flac": flac[: len(flac) // 2],
        "no-samples.wav": _wav(2, 44100, b""),
        "500-channels.wav": _wav(500, 44100, pcm),
        "0-hz.wav": _wav(2, 0, pcm),
        "4-GB-header.wav": _wav(2, 44100, pcm, declared=huge),
        "10-hours.flac": flac[:18] + _streaminfo(flac, samples=36000 * 44100) + flac[26:],
        "bomb.flac": _silence(stage.folder, LONGEST * 1.5),
        "playlist.m3u8": b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "concat.txt": b"ffconcat version 1.0\nfile /etc/passwd\n",
    }


def _wav(channels: int, rate: int, data: bytes, declared: int | None = None) -> bytes:
    size = len(data) if declared is None else declared
    width = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, (rate * width) & 0xFFFFFFFF, width, 16)
    head = b"RIFF" + struct.pack("<I", (36 + size) & 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return head + b"data" + struct.pack("<I", size) + data


def _streaminfo(flac: bytes, samples: int) -> bytes:
    """The eight bytes of rate, channels, depth and sample count, with another count (RFC 9639, 8.2)."""
    (packed,) = struct.unpack(">Q", flac[18:26])
    return struct.pack(">Q", packed >> 36 << 36 | samples)


def _silence(folder: Path, seconds: float) -> bytes:
    """A flac of a few hundred kilobytes that decodes to hundreds of megabytes; its header does not tell the length."""
    import numpy as np
    import soundfile

    path = folder / "silence.flac"
    if not path.exists():
        with soundfile.SoundFile(path, "w", 44100, 2, format="FLAC") as file:
            for _ in range(round(seconds / 10)):
                file.write(np.zeros((441000, 2), np.int16))
    data = path.read_bytes()
    return data[:18] + _streaminfo(data, samples=0) + data[26:]


def send_ten_times_what_the_queue_holds(stage: Stage) -> float:
    with ExitStack() as cleanup:
        changes = {"STEMSVC_MAX_WAITING_PER_POOL": str(PLACES)}
        _, url = stage.start_api(cleanup, f"bounded-api-{uuid.uuid4().hex}", **changes)
        before = stage.reader.stored("jobs")
        stage.fault()
        with ThreadPoolExecutor(20) as pool:
            refused = [answer for answer in pool.map(lambda _: _try(stage, url), range(10 * PLACES)) if answer]
        waiting = stage.reader.waiting()
        assert refused, "nothing was refused"
        assert waiting <= PLACES
        for answer in refused:
            assert answer.status_code == 429
            assert answer.json()["code"] == "queue_full"
            assert int(answer.headers["Retry-After"]) >= 1
        took = stage.end(*stage.expected)
        kept = {key.split("/")[1] for key in stage.reader.stored("jobs") - before}
        assert kept == set(stage.expected)  # refused jobs have no files left
    return took


def _try(stage: Stage, url: str) -> httpx.Response | None:
    """Send a job; returns the refusal, or None if the job was accepted."""
    with stage.songs[SHORT].open("rb") as file:
        answer = httpx.post(f"{url}/v1/jobs", files={"file": file}, data={"stems": "vocals"}, timeout=60)
    if answer.status_code != 201:
        return answer
    stage.expect(answer.json()["id"])
    return None


def send_one_request_fifty_times(stage: Stage) -> float:
    key = uuid.uuid4().hex
    stage.fault()

    def send(_: int) -> str:
        with Client(stage.url) as client:
            return str(client.submit(stage.songs[SHORT], idempotency_key=key, stems="vocals")["id"])

    before = stage.reader.ids()
    with ThreadPoolExecutor(50) as pool:
        (job_id,) = set(pool.map(send, range(50)))
    assert stage.reader.ids() - before == {job_id}
    try:
        stage.client.submit(stage.songs[SHORT], idempotency_key=key, stems="drums")
    except UsageError as refusal:
        assert refusal.code == "idempotency_conflict"  # noqa: PT017
    else:
        raise AssertionError("a different request was accepted under the same key")
    return stage.end(stage.expect(job_id))


def _pool_processes(stage: Stage) -> set[int]:
    pids = [worker.container.pid for worker in stage.workers]
    lists = (Path(f"/proc/{pid}/task/{pid}/children").read_text().split() for pid in pids)
    return {int(each) for each in itertools.chain.from_iterable(lists)}
