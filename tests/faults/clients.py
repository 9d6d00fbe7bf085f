"""Patient clients that send a stream of jobs in every way there is, and note what each of them must come to."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from stemsvc_client import Client, Job, Retry, StemsvcError, TransientError

from tests.faults.auditor import Errand
from tests.faults.reader import ENDED
from tests.faults.world import World
from tests.processes import wait_for

T = TypeVar("T")
PATIENCE = 180.0  # seconds for which a client asks again while a part of the service is away
PAUSE = 0.3  # seconds between two tries
LIVE = 6  # most jobs of one client that have not ended
HOOKED = 0.6  # share of the jobs whose client wants webhooks
PROMPTS = ("a trap beat at 140", "a sad pop song in D minor", "happy house music")
PIECE_SECONDS = 5  # of a piece of music by words
PIECE_FRAMES = PIECE_SECONDS * 44100
BROKEN = "broken.mp3"  # a file that is no music


@dataclass(frozen=True)
class Track:
    """A track that the site serves too; `frames` are samples per channel, `weight` how often it is drawn."""

    path: Path
    frames: int
    weight: float
    rate: int  # Hz


@dataclass
class Crowd:
    """Clients that run errands until they are told to stop. What each must come to stands in `errands`.

    A request draws one of `options`, fields that go before those that every request has. Uploads and conversations are
    erased after use if `tidy`. `complaints` has the answers that a client must never get.
    """

    url: str
    world: World
    tracks: list[Track]
    seed: int
    clients: int = 3
    pause: float = 0.0  # seconds that a client waits between two errands
    options: Sequence[Mapping[str, Any]] = ({},)
    tidy: bool = False
    errands: list[Errand] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    ways: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Crowd:
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"client-{number}", daemon=True)
            for number in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def accepted(self) -> int:
        """How many jobs were accepted."""
        return sum(len(errand.job_ids) for errand in self.errands)

    def stop(self) -> None:
        """Let each client finish its errand. Everything must be up."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        rng = random.Random(f"{self.seed} {number}")
        with Client(self.url, timeout=30.0, retry=Retry(0)) as client:
            one = _Client(self, client, rng)
            while not self._stop.wait(self.pause):
                way = rng.choices(list(WAYS), [weight for weight, _ in WAYS.values()])[0]
                self.ways[way] += 1
                try:
                    WAYS[way][1](one, way)
                    one.keep_few()
                except StemsvcError as error:
                    self.complaints.append(f"{way}: {error.code}: {error.detail}")
                except (AssertionError, httpx.HTTPError, KeyError) as error:
                    self.complaints.append(f"{way}: {error!r}")


class _Client:
    """One client. Its methods are its ways to send a job."""

    def __init__(self, crowd: Crowd, client: Client, rng: random.Random) -> None:
        self._crowd = crowd
        self._client = client
        self._rng = rng
        self._live: dict[str, Errand] = {}  # by job

    # --- ways

    def form(self, way: str) -> Errand:
        """A file in a form; half of the requests carry a key, and half of those come twice."""
        track = self._track()
        errand, fields = self._errand(way, track)
        key = errand.id if self._rng.random() < 0.5 else None
        for _ in range(2 if key and self._rng.random() < 0.5 else 1):
            self._accepted(errand, lambda: self._submit(track.path, key, errand, fields), key)
        return errand

    def broken(self, way: str) -> None:
        """A file that is no music: its job fails."""
        errand, fields = self._errand(way, None)
        path = self._track().path.with_name(BROKEN)
        self._accepted(errand, lambda: self._submit(path, errand.id, errand, fields), errand.id)

    def cached(self, way: str) -> None:
        """The same track with the same options as others before: mostly an earlier job has its stems."""
        track = self._crowd.tracks[0]
        errand, _ = self._errand(way, track)
        fields = {"stems": "vocals", "webhook_url": self._crowd.world.hook}
        errand.hook, errand.frames = True, track.frames
        self._accepted(errand, lambda: self._submit(track.path, errand.id, errand, fields), errand.id)

    def upload(self, way: str) -> None:
        """A file sent straight to storage, then named."""
        track = self._track()
        errand, fields = self._errand(way, track)
        body = {**fields, "metadata": {"errand": errand.id}}
        upload_id = self._upload(track)
        self._accepted(errand, lambda: self._client.submit_upload(upload_id, errand.id, **body), errand.id)
        self._erase_upload(upload_id)

    def link(self, way: str) -> None:
        """A link that the service fetches."""
        track = self._track()
        self._link(f"{self._crowd.world.url}/{track.path.name}", *self._errand(way, track))

    def dead_link(self, way: str) -> None:
        """A link to nothing: its job fails."""
        self._link(f"{self._crowd.world.url}/nothing.flac", *self._errand(way, None))

    def _link(self, url: str, errand: Errand, fields: Mapping[str, Any]) -> None:
        body = {**fields, "metadata": {"errand": errand.id}}
        self._accepted(errand, lambda: self._client.submit_url(url, errand.id, **body), errand.id)

    def batch(self, way: str) -> None:
        """Links and an upload in one request. Entries that were refused for now are sent again."""
        left: list[tuple[Errand, dict[str, Any]]] = []
        upload_id = ""
        for number in range(3):
            track = self._track()
            errand, fields = self._errand(way, track)
            source = {"url": f"{self._crowd.world.url}/{track.path.name}"}
            if number == 2:
                upload_id = self._upload(track)
                source = {"upload_id": upload_id}
            left.append((errand, {"source": source, **fields, "metadata": {"errand": errand.id}}))

        def send() -> bool:
            for errand, _ in left:
                errand.asked += 1  # a batch takes no keys, so a lost answer may have made jobs
            results = self._client.submit_batch([body for _, body in left])
            for (errand, body), result in list(zip(left, results, strict=True)):
                if result["status"] == 201:
                    self._note(errand, str(result["job"]["id"]))
                    left.remove((errand, body))
                elif result["status"] not in (429, 503):
                    raise AssertionError(f"an entry of a batch got {result}")
            return not left

        self._patiently(send)
        self._erase_upload(upload_id)

    def generate(self, way: str) -> None:
        """A short piece of music by words; half of the requests come twice, with one key."""
        errand = self._wanted(way, "succeeded", PIECE_FRAMES, self._rng.random() < HOOKED)
        fields: dict[str, Any] = {
            "duration": PIECE_SECONDS,
            "cache": False,
            "metadata": {"errand": errand.id},
            "format": "flac",
        }
        if errand.hook:
            fields["webhook_url"] = self._crowd.world.hook
        prompt = self._rng.choice(PROMPTS)
        for _ in range(self._rng.choice((1, 2))):
            self._accepted(
                errand,
                lambda: self._client.create_generation(prompt, idempotency_key=errand.id, **fields),
                errand.id,
            )

    def talk(self, way: str) -> None:
        """A message that is sent twice, with one key, and its plan, which is confirmed once: until there is an answer.

        The answers to both messages are one, and the plan makes one workflow.
        """
        errand = self._wanted(way, "succeeded", PIECE_FRAMES, hook=False)
        errand.asked = 1
        talk = self._patiently(lambda: self._client.start_conversation(name=errand.id).id)
        text = f"{self._rng.choice(PROMPTS)}, {PIECE_SECONDS} seconds long"
        said = [
            self._patiently(lambda: self._client.say(talk, text, idempotency_key=errand.id).reply) for _ in range(2)
        ]
        assert said[0].number == said[1].number, said
        errand.talk = talk  # from now on there may be a workflow
        made = self._patiently(lambda: self._client.confirm_plan(talk, said[0].number).reply.workflow_id)
        (job,) = self._patiently(lambda: [job for step in self._client.workflow(made).steps for job in step.jobs])
        self._note(errand, job.id)
        if self._crowd.tidy:
            self._patiently(lambda: self._erase_talk(talk))

    def cancel(self, way: str) -> None:
        """A job that is canceled at some moment."""
        errand = self.form(way)
        time.sleep(self._rng.uniform(0, 2))  # a moment of its life, whichever it is
        job_id = errand.job_ids[-1]

        def cancel() -> bool:
            try:
                errand.unsure = True
                errand.canceled = self._client.cancel(job_id)["state"] == "canceled"
            except StemsvcError as error:
                if error.code != "job_finished":
                    raise
            errand.unsure = False
            return True

        self._patiently(cancel)

    def delete(self, way: str) -> None:
        """A job that is erased at some moment."""
        errand = self.form(way)
        time.sleep(self._rng.uniform(0, 3))
        job_id = errand.job_ids[-1]

        def erase() -> bool:
            try:
                self._client.delete(job_id)
            except StemsvcError as error:  # an earlier try of ours did it, and its answer was lost
                if error.code != "job_not_found":
                    raise
            errand.deleted = True
            return True

        self._patiently(erase)
        self._live.pop(job_id, None)

    # --- what they have in common

    def keep_few(self) -> None:
        """Wait until few of its jobs are live, and see how the others ended."""

        def look() -> bool:
            for job_id, errand in list(self._live.items()):
                job = self._client.job(job_id)
                if job["state"] in ENDED:
                    del self._live[job_id]
                    if job["state"] not in errand.states:
                        error = (job["error"] or {}).get("code", "")
                        self._crowd.complaints.append(f"{errand.way}: {job_id} is {job['state']} {error}")
            return len(self._live) < LIVE

        self._patiently(look)

    def _track(self) -> Track:
        return self._rng.choices(self._crowd.tracks, [track.weight for track in self._crowd.tracks])[0]

    def _errand(self, way: str, track: Track | None) -> tuple[Errand, dict[str, Any]]:
        """A new errand and the fields of its requests; without a track its job fails."""
        fields = {
            "stems": self._rng.choice(("vocals", "drums", "no_vocals")),
            "cache": False,
            "format": self._rng.choice(("flac", "wav")),
            "priority": self._rng.choice(("high", "normal", "low")),
            **self._rng.choice(self._crowd.options),
        }
        if self._rng.random() < HOOKED:
            fields["webhook_url"] = self._crowd.world.hook
        frames = round(track.frames * fields.get("sample_rate", track.rate) / track.rate) if track else 0
        return self._wanted(way, "succeeded" if track else "failed", frames, "webhook_url" in fields), fields

    def _wanted(self, way: str, ends: str, frames: int, hook: bool) -> Errand:
        errand = Errand(uuid.uuid4().hex, way, ends, frames, hook)
        self._crowd.errands.append(errand)
        return errand

    def _submit(self, path: Path, key: str | None, errand: Errand, fields: Mapping[str, Any]) -> Job:
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        return self._client.submit(path, key, **texts, metadata=json.dumps({"errand": errand.id}))

    def _accepted(self, errand: Errand, send: Callable[[], Job], key: str | None) -> None:
        """Send until the answer is a job."""

        def look() -> str:
            errand.asked = 1 if key else errand.asked + 1
            return str(send()["id"])

        self._note(errand, self._patiently(look))

    def _note(self, errand: Errand, job_id: str) -> None:
        if job_id not in errand.job_ids:
            errand.job_ids.append(job_id)
            self._live[job_id] = errand

    def _erase_upload(self, upload_id: str) -> None:
        if not self._crowd.tidy:
            return

        def look() -> bool:
            try:
                return httpx.delete(f"{self._crowd.url}/v1/uploads/{upload_id}", timeout=30).status_code in (204, 404)
            except httpx.HTTPError:
                return False

        self._patiently(look)

    def _erase_talk(self, talk: str) -> bool:
        try:
            self._client.delete_conversation(talk)
        except StemsvcError as error:  # an earlier try of ours did it, and its answer was lost
            if error.code != "conversation_not_found":
                raise
        return True

    def _upload(self, track: Track) -> str:
        def look() -> str | None:
            try:
                return self._client.upload(track.path)
            except httpx.HTTPError:  # the storage itself was away
                return None

        return self._patiently(look)

    def _patiently(self, act: Callable[[], T | None]) -> T:
        """Do it again after a pause while it comes to nothing, or the service says that it may be tried again."""

        def look() -> T | None:
            with contextlib.suppress(TransientError):
                if result := act():
                    return result
            time.sleep(PAUSE)
            return None

        return wait_for("an answer", look, PATIENCE)


Way = Callable[[_Client, str], Any]
WAYS: dict[str, tuple[float, Way]] = {
    "form": (4, _Client.form),
    "upload": (2, _Client.upload),
    "link": (3, _Client.link),
    "batch": (1, _Client.batch),
    "cancel": (2, _Client.cancel),
    "delete": (2, _Client.delete),
    "cached": (2, _Client.cached),
    "broken": (1, _Client.broken),
    "dead link": (1, _Client.dead_link),
    "generate": (1, _Client.generate),
    "talk": (1, _Client.talk),
}
