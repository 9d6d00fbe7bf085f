"""What a process runs with: its release, settings, pools and weights, in a form in which two can be compared."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import socket
import threading
import time
from importlib.metadata import version
from typing import Any

from pydantic import SecretStr

from stemsvc.control.servable import LACKING
from stemsvc.errors import StemsvcError
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import newest_revision
from stemsvc.kinds.registry import able, configured_pools
from stemsvc.models.catalog import Catalog, load_catalog
from stemsvc.models.here import lacking_here
from stemsvc.models.store import WeightStore
from stemsvc.observe.loggers import get_logger
from stemsvc.settings import SECRETS, Settings

log = get_logger()
SECONDS = 15.0  # between two reports
LIVES = 3.0  # reports that a process may miss before it counts as dead
MARK_BYTES = 3  # of a secret's hash: two secrets differ in it, and nobody can confirm by it what he guessed


class Facts:
    """The facts of a process with these settings: its catalog and pools are those that it began with."""

    def __init__(self, settings: Settings) -> None:
        """Raises what reading pools and the catalog raises."""
        self._settings = settings
        self._catalog = load_catalog(settings.catalog, settings.default_model, accepted=settings.licences)
        self._pools = configured_pools(settings.pools, self._catalog)

    def now(self) -> dict[str, Any]:
        """The facts of this moment. A secret is in them as the first bytes of a hash.

        A setting that is at its default is left out.
        """
        fresh = self._settings.fresh()
        return {
            "version": version("stemsvc"),
            "python": platform.python_version(),
            "revision": newest_revision(),
            "kinds": sorted(able()),
            "settings": {name: _shown(name, getattr(fresh, name)) for name in sorted(fresh.model_fields_set)},
            "pools": {pool.name: pool.model_dump(mode="json") for pool in self._pools},
            "weights": _weights(self._catalog, WeightStore(fresh.weights_dir)),
            LACKING: lacking_here(self._catalog, fresh),
        }


def _shown(name: str, value: object) -> str:
    if name not in SECRETS and not isinstance(value, SecretStr):
        return str(value)
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
    return f"secret {hashlib.sha256(text.encode()).hexdigest()[: 2 * MARK_BYTES]}" if text else ""


def _weights(catalog: Catalog, store: WeightStore) -> dict[str, list[str]]:
    """By model, the hash that each of its files must have; a file without a known one has none."""
    return {entry.name: [store.digest(file) or "" for file in entry.files] for entry in catalog.entries}


class Report:
    """Tells the store what a process runs with. The store is the caller's."""

    def __init__(self, store: JobStore, process_id: str, role: str, settings: Settings) -> None:
        """Raises what reading pools and the catalog raises."""
        self._store = store
        self._id = process_id
        self._role = role
        self._facts = Facts(settings)
        self._due = 0.0

    def tell(self) -> None:
        """Tell it, where the last time is `SECONDS` ago. A store that does not answer is told the next time."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + SECONDS
        try:
            self._store.processes.report(self._id, self._role, self._facts.now(), LIVES * SECONDS)
        except StemsvcError as error:
            log.debug("report not stored", code=error.code, detail=error.detail)
        except Exception:  # a report is a convenience: the process works on without it
            log.exception("report not stored")

    def leave(self) -> None:
        """Tell that this process has ended."""
        with contextlib.suppress(StemsvcError):
            self._store.processes.leave(self._id)


class Reporter:
    """Keeps telling in a thread of its own, from `start` to `stop`: for processes that have no other such thread."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and tell that this process has ended."""
        self._stop.set()
        self._thread.join(timeout=2.0)
        self._report.leave()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._report.tell()
            self._stop.wait(SECONDS)


def process_name() -> str:
    """The name of this process in its report, where it is no worker that has one of its own."""
    return f"{socket.gethostname()}:{os.getpid()}"
