"""What a client can do. Each method makes a flow; `Client` and `AsyncClient` have them all and drive them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stemsvc_client import calls
from stemsvc_client.conversation_flows import ConversationFlows
from stemsvc_client.downloading import downloaded, saved
from stemsvc_client.following import followed, of_job, waited
from stemsvc_client.messages import Song
from stemsvc_client.places import place
from stemsvc_client.results import BatchItem, Event, Job, Made, Model, Update, Usage
from stemsvc_client.retries import Retry
from stemsvc_client.running import accepted, check, name_of, ran
from stemsvc_client.several import Source, analysed, generated, mastered, mixed, tracked
from stemsvc_client.steps import Emit, Emitting, Flow
from stemsvc_client.workflow_flows import WorkflowFlows

PathLike = str | os.PathLike[str]


class Flows(WorkflowFlows, ConversationFlows):
    """The calls of a client with this patience. `path` is where jobs of a kind are sent, such as `/v1/separations`.

    `fields` are those of the service's form, such as `stems=["vocals"]`, `model` or `format`.
    """

    def __init__(self, retry: Retry) -> None:
        self._retry = retry

    # --- the whole way

    def run(
        self,
        /,
        song: PathLike,
        *,
        output_dir: PathLike = ".",
        name: str = "",
        idempotency_key: str | None = None,
        timeout: float | None = None,
        on_progress: Callable[[Update], Any] | None = None,
        cancel: bool = True,
        path: str = calls.JOBS,
        **fields: Any,
    ) -> Flow[Made]:
        """Send a song (a file or a link), wait for its job, and save the job's files in `output_dir`.

        `name` is the song's name where the file's own is not wanted. `timeout` is for the job, in seconds. A call that
        is broken off cancels the job, unless `cancel` is false. Raises the error of a job that fails, by its code.
        """
        return ran(
            song,
            fields,
            Path(output_dir),
            self._retry,
            name=name,
            key=idempotency_key,
            path=path,
            timeout=timeout,
            listener=on_progress,
            cancel=cancel,
        )

    def start(
        self,
        /,
        song: PathLike,
        *,
        name: str = "",
        idempotency_key: str | None = None,
        path: str = calls.JOBS,
        **fields: Any,
    ) -> Flow[Job]:
        """Send a song in the way that fits it (form, upload or link); returns its job at once."""
        return accepted(song, fields, self._retry, name or name_of(song), idempotency_key, path)

    # --- jobs of several songs

    def create_mix(self, /, tracks: Sequence[Any], *, idempotency_key: str | None = None, **fields: Any) -> Flow[Job]:
        """Mix tracks into one file; returns the job at once.

        A track is a source, or an object with a `source` and its settings, such as `{"source": "drums.wav",
        "gain_db": -3}`. A source is a file's path, a link, a job, or what the service takes, such as `{"job_id": ...,
        "output": "vocals"}`. `fields` are those of the form, such as `normalise=True`.
        """
        return mixed(tracks, fields, idempotency_key, self._retry)

    def create_master(
        self,
        /,
        song: Source,
        *,
        reference: Source | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> Flow[Job]:
        """Master a song, perhaps after a `reference`; returns the job at once. Sources are those of `create_mix`."""
        return mastered(song, reference, fields, idempotency_key, self._retry)

    def create_transcription(
        self,
        /,
        tracks: Sequence[Source],
        *,
        stems: Sequence[str] | None = None,
        quantise: str | None = None,
        strength: float | None = None,
        bpm: float | None = None,
        key: str | None = None,
        sensitivity: float | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> Flow[Job]:
        """Write down the notes of tracks; returns the job at once. Sources are those of `create_mix`.

        `[job]` is all stems of a separation. `stems` says what each track is, such as `["drums", "bass"]`.
        """
        own = {"stems": stems, "quantise": quantise, "strength": strength, "bpm": bpm, "key": key}
        asked = {**own, "sensitivity": sensitivity, **fields}
        return tracked("/v1/transcriptions:from-source", tracks, {}, asked, idempotency_key, self._retry)

    def create_export(
        self,
        /,
        tracks: Sequence[Source],
        targets: Sequence[str],
        *,
        mixture: Source | None = None,
        analysis: Source | None = None,
        title: str | None = None,
        names: Sequence[str] | None = None,
        colours: Sequence[str] | None = None,
        bpm: float | None = None,
        codec: str | None = None,
        bars: int | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> Flow[Job]:
        """Put tracks into projects; returns the job at once. Sources are those of `create_mix`.

        `[job]` is all stems of a separation. `targets` are such as `["reaper", "stem.mp4"]`.
        """
        own = {"targets": targets, "title": title, "names": names, "colours": colours, "bpm": bpm, "codec": codec}
        asked, named = {**own, "bars": bars, **fields}, {"mixture": mixture, "analysis": analysis}
        return tracked("/v1/exports:from-source", tracks, named, asked, idempotency_key, self._retry)

    def create_analysis(
        self,
        /,
        song: Source,
        *,
        stems: Source | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> Flow[Job]:
        """Analyse a song, perhaps by the `stems` of a job that has separated it; returns the job at once.

        What is found is in the job's `facts`. Sources are those of `create_mix`.
        """
        return analysed(song, stems, fields, idempotency_key, self._retry)

    def create_generation(
        self,
        /,
        prompt: str = "",
        *,
        variation_of: Source | None = None,
        melody: Source | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> Flow[Job]:
        """Make music by words, such as "a dark trap beat at 140"; returns the job at once.

        `fields` are those of the form, such as `duration=20`, `stems=True` or `key="C minor"`. `variation_of` is an
        earlier generation's job, or its file `score`; `melody` a track to follow, by a model that can.
        """
        sources = {"variation_of": variation_of, "melody": melody}
        return generated(prompt, sources, fields, idempotency_key, self._retry)

    def finished(
        self, job_id: str, timeout: float | None = None, on_change: Callable[[Job], Any] | None = None
    ) -> Flow[Job]:
        """As `wait`, and raises the error of a job that has not succeeded, by its code."""
        job = yield from waited(job_id, timeout, on_change, self._retry)
        check(job)
        return job

    # --- single calls

    def submit(
        self, /, song: PathLike, idempotency_key: str | None = None, *, path: str = calls.JOBS, **fields: Any
    ) -> Flow[Job]:
        """Send a song as a form; returns the job. The same `idempotency_key` returns the same job."""
        sent = Song(Path(song), Path(song).name)
        return calls.submitted(sent, fields, idempotency_key, path, self._retry)

    def submit_url(
        self, /, url: str, idempotency_key: str | None = None, *, path: str = calls.JOBS, **fields: Any
    ) -> Flow[Job]:
        """Name a link that the service fetches; returns the job."""
        return calls.submitted_source({"url": url}, fields, idempotency_key, path, self._retry)

    def submit_upload(
        self, /, upload_id: str, idempotency_key: str | None = None, *, path: str = calls.JOBS, **fields: Any
    ) -> Flow[Job]:
        """Name a song that `upload` sent; returns the job."""
        return calls.submitted_source({"upload_id": upload_id}, fields, idempotency_key, path, self._retry)

    def submit_batch(
        self, jobs: Sequence[Mapping[str, Any]], idempotency_key: str | None = None
    ) -> Flow[list[BatchItem]]:
        """Send several jobs' bodies at once; returns the result of each, in order.

        Sent again with the same `idempotency_key`, the batch gets the jobs that it made, and makes the others.
        """
        return calls.batch(jobs, idempotency_key, self._retry)

    def upload(self, song: PathLike) -> Flow[str]:
        """Send a song straight to storage; returns the id for `submit_upload`."""
        return calls.uploaded(Path(song), Path(song).name, self._retry)

    def delete_upload(self, upload_id: str) -> Flow[None]:
        """Delete an upload."""
        return calls.upload_deleted(upload_id, self._retry)

    def job(self, job_id: str, wait: float = 0.0) -> Flow[Job]:
        """The job as it is now, or at its end if it comes within `wait` seconds."""
        return calls.job(job_id, self._retry, wait)

    def jobs(self, /, **query: Any) -> Emitting[Job]:
        """Every job that matches the query (`state`, `model`, `created_after`, ...), newest first."""
        return Emitting(calls.jobs(query, self._retry))

    def cancel(self, job_id: str) -> Flow[Job]:
        """Cancel the job; returns it."""
        return calls.canceled(job_id, self._retry)

    def retry(self, job_id: str, idempotency_key: str | None = None) -> Flow[Job]:
        """Send an ended job again; returns the new job."""
        return calls.retried(job_id, idempotency_key, self._retry)

    def delete(self, job_id: str) -> Flow[None]:
        """Stop the job, and erase its song, its files and its record."""
        return calls.deleted(job_id, self._retry)

    def events(self, job_id: str) -> Emitting[Event]:
        """The job's events as they happen, until it ends. A stream that breaks is opened again."""
        return Emitting(followed(*of_job(job_id), _emitted, self._retry))

    def wait(
        self, job_id: str, timeout: float | None = None, on_change: Callable[[Job], Any] | None = None
    ) -> Flow[Job]:
        """The job at its end. `on_change` gets it whenever it changes. `timeout` is in seconds. Raises `Timeout`."""
        return waited(job_id, timeout, on_change, self._retry)

    def download(self, url: str, path: PathLike, sha256: str = "") -> Flow[Path]:
        """Save what a signed URL points to. With `sha256`, bytes are checked and a broken download goes on later."""
        return downloaded(url, Path(path), sha256, self._retry)

    def save(self, job: Job, name: str, output_dir: PathLike = ".") -> Flow[Path]:
        """Save the file `name` of a job in a folder."""
        return saved(job, name, place(Path(output_dir), name, job.files[name]), self._retry)

    def usage(self, /, **query: str) -> Flow[Usage]:
        """What was used; `since` and `until` are in ISO 8601."""
        return calls.usage(query, self._retry)

    def models(self) -> Flow[list[Model]]:
        """The models that a job can name."""
        return calls.models(self._retry)


def _emitted(event: Event) -> Flow[None]:
    yield Emit(event)
