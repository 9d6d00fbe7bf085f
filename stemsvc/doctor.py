"""Is this installation able to work? Each finding says what was seen and what to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stemsvc.catalog import load_catalog
from stemsvc.embedded.redis_server import find_redis_server
from stemsvc.embedded.stack import running
from stemsvc.errors import FatalError, StemsvcError
from stemsvc.jobstore import JobStore
from stemsvc.queue import Publisher
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from stemsvc.weights.pull import open_puller
from stemsvc.weights.store import State

LEAST_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One part, whether it works, and what was seen."""

    part: str
    ok: bool
    what: str


def examine(settings: Settings) -> list[Finding]:
    """Look at every part; a part that can't be used becomes a finding, not an exception."""
    return [_look(part, check) for part, check in _checks(settings)]


def _look(part: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, check())
    except StemsvcError as error:
        return Finding(part, False, f"{error.code}: {error.detail}")


def _checks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "python and packages", _packages
    yield "catalog and weights", lambda: _weights(settings)
    yield "disk", lambda: _disk(settings.data_dir)
    stack = running(settings)
    if stack is None and not settings.database_url and "broker_url" not in settings.model_fields_set:
        yield "service", lambda: f"not running over {settings.data_dir}; `stemsvc up` starts it"
        yield "redis-server", find_redis_server
        return
    broker = stack.broker_url if stack else settings.broker_url
    yield "job store", lambda: _store(settings)
    yield "broker", lambda: _broker(settings.model_copy(update={"broker_url": broker}))
    yield "storage", lambda: _storage(settings)


def _packages() -> str:
    found = [f"python {sys.version.split()[0]}"]
    for package in ("celery", "flask", "torch", "demucs", "openvino", "av", "soxr"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)


def _weights(settings: Settings) -> str:
    catalog = load_catalog(settings.catalog)
    puller = open_puller(settings)
    (demo,) = catalog.get("demo").files
    if puller.store.check(demo) is not State.HERE:
        raise FatalError("weights_corrupt", f"{demo.path} is missing or damaged; install the package again")
    states = {entry.name: {puller.store.glance(file) for file in entry.files} for entry in catalog.entries}
    damaged = [name for name, found in states.items() if State.CORRUPT in found]
    if damaged:
        raise FatalError("weights_corrupt", f"`stemsvc models pull {' '.join(damaged)}` brings damaged weights again")
    here = [name for name, found in states.items() if found == {State.HERE}]
    return f"{len(states)} models; weights here of {', '.join(here)}, in {puller.store.folder}"


def _disk(folder: Path) -> str:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE_BYTES:
        raise FatalError("disk_low", f"{free / 1e9:.1f} GB free at {there}; free some or move STEMSVC_DATA_DIR")
    return f"{free / 1e9:.1f} GB free at {there}"


def _store(settings: Settings) -> str:
    store = JobStore(settings.resolved_database_url)
    try:
        store.ping()
        return f"answers, {len(store.recent(1000))} recent jobs"
    finally:
        store.close()


def _broker(settings: Settings) -> str:
    publisher = Publisher(settings)
    try:
        publisher.ping()
        return "answers"
    finally:
        publisher.close()


def _storage(settings: Settings) -> str:
    open_storage(settings).check()
    return f"{settings.storage} storage can be used"
