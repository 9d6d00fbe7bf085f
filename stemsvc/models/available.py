"""Whether a model's weights can be had on this machine: they are here, or they come now. A failure is remembered.

Jobs that may take another model instead must not wait long for a network that is not there: a short question comes
first, and for some minutes after a failure nobody asks again.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable

from stemsvc.errors import FatalError, TransientError, WeightsUnavailable
from stemsvc.host.folders import share, shared_folder
from stemsvc.models import transfer
from stemsvc.models.pull import OnPull, Puller, nothing_pinned, silent
from stemsvc.models.source import Weighed, WeightFile
from stemsvc.models.store import State

REMEMBERED_SECONDS = 300.0
PROBE_SECONDS = 8.0  # for names, connections and the hub's answer together


class Availability:
    """Fetches models with a puller, and remembers in its folder which could not be had, for every process there."""

    def __init__(self, puller: Puller, *, remembered: float = REMEMBERED_SECONDS, probe: float = PROBE_SECONDS) -> None:
        self._puller = puller
        self._path = puller.store.folder / "unavailable.json"
        self._known: dict[str, tuple[float, str]] = {}  # where the folder can't be written
        self._remembered = remembered
        self._probe = probe

    def lacking(self, entry: Weighed, on_pull: OnPull = silent) -> str | None:
        """Why the model's weights can't be had; None once all of them are here, every byte checked.

        Those that are missing are fetched: by one process, while others wait for it. What `on_pull` raises passes.
        """
        if not entry.files:
            return nothing_pinned(entry)
        asked = time.time()
        missing = [file for file in entry.files if self._puller.store.snapshot(file) is not State.HERE]
        try:
            if missing and not self._puller.offline:
                if why := self._failure(entry, asked - self._remembered):
                    return why
                self._ask(missing[0])
            self._puller.ensure(entry, self._unless_failed(entry, asked, on_pull))
        except (FatalError, TransientError) as error:
            self.remember(entry, error.detail)
            return error.detail
        return None

    def refused(self, entry: Weighed) -> str | None:
        """Why the model's weights can't be had, as far as it is known without asking anybody: they are missing, and may
        not or could not be fetched. None where they are here or may come."""
        if not entry.files:
            return nothing_pinned(entry)
        missing = [file for file in entry.files if self._puller.store.snapshot(file) is not State.HERE]
        for file in missing:
            if file.path is not None:
                if not file.path.is_file():
                    return f"its file {file.path} is not there"
            elif self._puller.offline:
                return "its weights are not here, and STEMSVC_OFFLINE is set"
            elif file.sha256 is None:
                return f"nothing says what {file.label} must be"
        return self._failure(entry, time.time() - self._remembered) if missing else None

    def _unless_failed(self, entry: Weighed, since: float, on_pull: OnPull) -> OnPull:
        """Give up where the process that this one waits for gave up."""

        def watch(file: WeightFile, done: int, total: int | None) -> None:
            if not done and (why := self._failure(entry, since)):
                raise WeightsUnavailable(why)
            on_pull(file, done, total)

        return watch

    def _ask(self, file: WeightFile) -> None:
        """Ask the hub for the file. Raises what `transfer.look` raises, and `TransientError` after the time is over."""
        if not file.hub:
            return
        answer: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def ask(answered: Callable[[BaseException | None], None] = answer.put) -> None:
            try:
                transfer.look(file)
            except Exception as error:  # it is raised where the answer is waited for
                answered(error)
            else:
                answered(None)

        # the system's search for a host's name knows no time limit: a thread may go on with it in vain
        threading.Thread(target=ask, daemon=True).start()
        try:
            error = answer.get(timeout=self._probe)
        except queue.Empty:
            raise WeightsUnavailable(f"{file.label}: no answer within {self._probe:.0f} s") from None
        if error is not None:
            raise error

    def _failure(self, entry: Weighed, since: float) -> str | None:
        """Why the model could not be had, where that was found out after `since`."""
        at, why = self._read().get(entry.name) or self._known.get(entry.name) or (0.0, "")
        return why if since <= at <= time.time() else None

    def _read(self) -> dict[str, tuple[float, str]]:
        try:
            return {name: (float(at), str(why)) for name, (at, why) in json.loads(self._path.read_text()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def remember(self, entry: Weighed, why: str) -> None:
        """Keep in mind that the model could not be fetched. Without a network nobody has tried."""
        if self._puller.offline:
            return
        self._known[entry.name] = (time.time(), why)
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            shared_folder(self._path.parent)
            draft.write_text(json.dumps({**self._read(), **self._known}))
            share(draft)
            draft.replace(self._path)
