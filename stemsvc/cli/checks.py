"""What `stemsvc doctor` looks at. Each finding says what was seen and what to do."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx

from stemsvc.accounts.cipher import open_cipher
from stemsvc.cli.bucket_checks import check_pages, check_rights
from stemsvc.cli.os_errors import translated
from stemsvc.embedded.preflight import REMEDIES, check_ports
from stemsvc.embedded.redis_server import find_redis_server
from stemsvc.embedded.state import Running, running
from stemsvc.errors import (
    BadSetting,
    ClockSkew,
    DeviceBroken,
    DiskLow,
    FolderOpen,
    FolderRefused,
    NoFetcher,
    NoWorker,
    StemsvcError,
    StorageDenied,
    StorageUnavailable,
    StorageWrong,
    TablesOld,
    UsageError,
    WeightsCorrupt,
)
from stemsvc.host.environment import process_environment
from stemsvc.host.folders import open_to_others
from stemsvc.host.processor import has_bf16, instruction_set
from stemsvc.host.soundfont import SoundFont
from stemsvc.jobs.pools import FETCH, Pool
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import revisions
from stemsvc.jobstore.pool_status import PoolStatus, pool_statuses
from stemsvc.kinds.registry import configured_pools
from stemsvc.models.catalog import load_catalog
from stemsvc.models.pull import open_puller
from stemsvc.models.store import State
from stemsvc.queue.celery import Publisher
from stemsvc.settings import Settings
from stemsvc.storage import open_storage

SONG = Path(__file__).parent.parent / "demo" / "song" / "mixture.flac"
LEAST_FREE_BYTES = 2 * 1024**3


SKEW_SECONDS = 60.0  # between two clocks; S3 refuses signatures at 15 minutes, but people are confused sooner
SEPARATION_SECONDS = 300.0


@dataclass(frozen=True)
class Finding:
    """One part: whether it works, what was seen, and what to do if it does not work."""

    part: str
    ok: bool
    what: str
    remedy: str = ""


def examine(settings: Settings, quick: bool = False, begin: Callable[[str], object] = str) -> Iterator[Finding]:
    """Check one part after the other. A part that does not work becomes a finding, not an exception.

    `begin` is called with a part's name before it is checked. `quick` leaves out what takes more than a few seconds:
    separating on each device, and reading all weights.
    """
    for part, check in _checks(settings, quick):
        begin(part)
        yield _look(part, check)


def _look(part: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, check())
    except StemsvcError as error:
        remedy = REMEDIES.get(type(error), error.remedy)
        if isinstance(error, StorageDenied) and "folder" in error.detail:  # the local storage's
            remedy = FolderRefused("").remedy
        return Finding(part, False, f"{error.code}: {error.detail}", remedy)
    except OSError as error:
        told = translated(error)
        if told is None:
            raise
        return Finding(part, False, f"{told.code}: {error.filename}: {error.strerror}", told.remedy)


def _checks(settings: Settings, quick: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    stack = running(settings)
    own_redis = stack is None and "broker_url" not in settings.model_fields_set
    alone = own_redis and not settings.database_url  # what `up` starts here; elsewhere other machines have parts of it
    yield "python and packages", _packages
    yield "processor", _processor
    yield "catalog and weights", lambda: _weights(settings, quick)
    if font := SoundFont.at(settings.soundfont):
        yield "soundfont", lambda: _soundfont(font)
    yield "disk", lambda: _disk(settings.data_dir)
    yield "data folder", lambda: _folder(settings.data_dir)
    yield "service", lambda: _service(settings, stack, alone)
    yield "job store", lambda: _store(settings)
    if _is_made(settings):
        yield "secrets", lambda: _secrets(settings)
    if own_redis:
        yield "redis-server", find_redis_server
    else:
        broker = stack.broker_url if stack else settings.broker_url
        yield "broker", lambda: _broker(settings.model_copy(update={"broker_url": broker}))
    yield "storage", lambda: _storage(settings)
    if settings.storage == "s3":
        yield "bucket's rights", lambda: check_rights(settings)
        yield "bucket for pages", lambda: check_pages(settings)
    for kind in () if quick else sorted({pool.kind for pool in _pools(settings)}):
        yield f"device {kind}", partial(_device, kind)
    if alone or not _is_made(settings):
        return
    with contextlib.suppress(StemsvcError):  # the finding about the job store reports it
        _statuses(settings)
        for pool in _pools(settings):
            yield f"pool {pool.name}", partial(_pool, settings, pool.name)
        yield "fetcher", lambda: _fetcher(settings)


def _pools(settings: Settings) -> list[Pool]:
    try:
        return configured_pools(settings.pools, load_catalog(settings.catalog))
    except UsageError:  # the finding about the catalog reports it
        return []


def _is_made(settings: Settings) -> bool:
    """Whether there is a job store: that in a data folder is made by the first start."""
    return bool(settings.database_url) or _sqlite(settings).is_file()


def _sqlite(settings: Settings) -> Path:
    return Path(settings.resolved_database_url.removeprefix("sqlite:///"))


def _service(settings: Settings, stack: Running | None, alone: bool) -> str:
    if stack is not None:
        return f"runs at {stack.url}"
    if not alone:
        return "its processes are started one by one, here or elsewhere"
    check_ports([(settings.api_host, settings.api_port, "STEMSVC_API_PORT")])
    return f"not running over {settings.data_dir}; `stemsvc up` starts it; port {settings.api_port} is free"


def _packages() -> str:
    found = [f"python {sys.version.split()[0]}"]
    for package in ("celery", "flask", "torch", "demucs", "openvino", "av", "soxr"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)


def _processor() -> str:
    bf16 = "the precision `fast` is bf16 on it" if has_bf16() else "the precision `fast` gains nothing on it"
    return f"{os.cpu_count()} cores, {instruction_set()}; {bf16}"


def _weights(settings: Settings, quick: bool) -> str:
    catalog = load_catalog(settings.catalog)
    configured_pools(settings.pools, catalog)
    puller = open_puller(settings)
    (demo,) = catalog.get("demo").files
    if (puller.store.snapshot(demo) if quick else puller.store.check(demo)) is not State.HERE:
        raise WeightsCorrupt(f"{demo.path} is missing or damaged; install the package again")
    states = {entry.name: {puller.store.snapshot(file) for file in entry.files} for entry in catalog.entries}
    damaged = [name for name, found in states.items() if State.CORRUPT in found]
    if damaged:
        raise WeightsCorrupt(f"`stemsvc models pull {' '.join(damaged)}` downloads damaged weights again")
    here = [name for name, found in states.items() if found == {State.HERE}]
    return f"{len(states)} models; weights of {', '.join(here)} are in {puller.store.folder}"


def _soundfont(font: SoundFont) -> str:
    if (why := font.lacking()) is not None:
        raise BadSetting(f"STEMSVC_SOUNDFONT: {why}")
    return f"`sketch` plays {font.path}"


def _disk(folder: Path) -> str:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE_BYTES:
        raise DiskLow(f"{free / 1e9:.1f} GB free at {there}; free some or move STEMSVC_DATA_DIR")
    return f"{free / 1e9:.1f} GB free at {there}"


def _folder(folder: Path) -> str:
    if not folder.exists():
        above = next(path for path in folder.parents if path.exists())
        if not os.access(above, os.W_OK | os.X_OK):
            raise FolderRefused(f"{folder} is not there, and {above} can't be written")
        return f"{folder} is not there yet; it will be made for this user alone"
    if not os.access(folder, os.W_OK | os.X_OK) or not folder.is_dir():
        raise FolderRefused(f"{folder} can't be written")
    found = open_to_others(folder)
    if folder in found and folder.stat().st_uid == 0 != os.geteuid():  # a mount, such as a pod's: root's, not ours
        found.remove(folder)
    if found:
        raise FolderOpen(", ".join(map(str, found)))
    return f"no other user of this machine can read what is in {folder}"


def _secrets(settings: Settings) -> str:
    store = JobStore(settings.resolved_database_url, cipher=open_cipher(settings))
    try:
        total, clear = store.webhooks.count_secrets()
        has_key = store.webhooks.has_key
    finally:
        store.close()
    if not clear:
        return f"{total} webhook secrets, all encrypted" if has_key else "no webhook secrets, and no key for them"
    way = "`stemsvc secrets encrypt` encrypts them" if has_key else "STEMSVC_SECRET_KEY would encrypt them"
    return f"{total} webhook secrets, {clear} in clear; {way}"


def _store(settings: Settings) -> str:
    if not _is_made(settings):
        return f"{_sqlite(settings)} is not there yet; the first start makes it"
    store = JobStore(settings.resolved_database_url)
    try:
        start = time.perf_counter()
        store.ping()
        took = time.perf_counter() - start
        now, newest = revisions(settings.resolved_database_url)
        if now != newest:
            raise TablesOld(f"the tables are at revision {now}, this stemsvc is at {newest}")
        skew = store.now() - time.time()
        _check_skew("the database's clock", skew)
        waiting = sum(number for by_priority in store.waiting().values() for number in by_priority.values())
        return f"answers in {took * 1000:.0f} ms; revision {now}; clock {skew:+.1f} s; {waiting} jobs wait"
    finally:
        store.close()


def _check_skew(whose: str, seconds: float) -> None:
    if abs(seconds) > SKEW_SECONDS:
        raise ClockSkew(f"{whose} differs from this machine's by {seconds:+.0f} s")


def _broker(settings: Settings) -> str:
    publisher = Publisher(settings)
    try:
        publisher.ping()
        return "answers"
    finally:
        publisher.close()


def _storage(settings: Settings) -> str:
    """Store an object, read it back, download it as clients do, and delete it."""
    if settings.storage == "local" and not settings.data_dir.exists():
        return f"local: {settings.data_dir} is not there yet"
    storage, key, content = (
        open_storage(settings, attempts=2),
        f"doctor/{secrets.token_hex(8)}",
        secrets.token_bytes(1000),
    )
    start = time.perf_counter()
    try:
        storage.put(key, io.BytesIO(content), "application/octet-stream")
        with tempfile.TemporaryDirectory() as folder:
            storage.fetch(key, Path(folder) / "object")
            if (Path(folder) / "object").read_bytes() != content:
                raise StorageWrong("an object came back with other bytes than were stored")
        took = time.perf_counter() - start
        said = f"{settings.storage}: stored and read back in {took * 1000:.0f} ms"
        url = storage.signed_url(key, 60, "object", "application/octet-stream")
        return said + (_downloaded(url, content) if url.startswith("http") and settings.storage == "s3" else "")
    finally:
        with contextlib.suppress(StemsvcError):
            storage.delete(key)


def _downloaded(url: str, content: bytes) -> str:
    try:
        answer = httpx.get(url, timeout=15)
    except httpx.HTTPError as error:
        raise StorageUnavailable(f"a signed URL can't be opened: {type(error).__name__}") from error
    if answer.status_code != 200 or answer.content != content:
        raise StorageWrong(f"a signed URL answers {answer.status_code}")
    skew = 0.0
    if date := answer.headers.get("Date"):
        skew = parsedate_to_datetime(date).timestamp() - time.time()
        _check_skew("the storage's clock", skew)
    return f"; its signed URL opens; clock {skew:+.0f} s"


def _device(kind: str) -> str:
    """Separate the bundled song, 24 s of music, in a process of its own."""
    if importlib.util.find_spec("torch") is None:
        return "not checked: torch is not installed, so no worker runs on this machine"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "stemsvc",
            "separate",
            str(SONG),
            "--output",
            folder,
            "--model",
            "demo",
            "--device",
            kind,
            "--stems",
            "vocals",
        ]
        start = time.perf_counter()
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SEPARATION_SECONDS, env=process_environment()
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceBroken(f"a small separation takes longer than {error.timeout:.0f} s") from error
        took = time.perf_counter() - start
    if done.returncode == 0:
        return f"separates: 24 s of music in {took:.1f} s, including the start"
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if "no_device" in said:
        return f"this machine has no such device; its workers are elsewhere ({said})"
    raise DeviceBroken(said)


def _pool(settings: Settings, name: str) -> str:
    for status in _statuses(settings):
        if status.name == name:
            if not status.workers:
                raise NoWorker(f"no worker is alive; {status.queued} jobs wait")
            names = {seen.worker.device_name for seen in status.workers}
            return (
                f"{status.slots} slots on {', '.join(sorted(names))}; {status.running} jobs run, {status.queued} wait"
            )
    raise NoWorker("the job store does not know the pool")


def _fetcher(settings: Settings) -> str:
    (status,) = [each for each in _statuses(settings) if each.name == FETCH]
    if not status.workers:
        raise NoFetcher(f"no fetcher is alive; {status.queued} jobs wait for their tracks")
    return f"{status.slots} slots; {status.running} jobs run, {status.queued} wait"


def _statuses(settings: Settings) -> list[PoolStatus]:
    store = JobStore(settings.resolved_database_url)
    try:
        return pool_statuses(store, _pools(settings))
    finally:
        store.close()
