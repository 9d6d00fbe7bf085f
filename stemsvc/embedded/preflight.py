"""What is looked at before a stack starts anything: a part that can't work is told on one line, with what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from stemsvc.errors import (
    BadSetting,
    BrokerUnavailable,
    DiskLow,
    FolderRefused,
    PortTaken,
    StemsvcError,
    StorageDenied,
    StorageFull,
    StorageMissing,
    StorageUnavailable,
    StoreError,
    StoreUnavailable,
    WeightsCorrupt,
)
from stemsvc.settings import Settings

FULL = (errno.ENOSPC, errno.EDQUOT)
# What an operator at the machine does, where that differs from what the error advises a client.
REMEDIES: dict[type[StemsvcError], str] = {
    StoreUnavailable: "start the database, or repair STEMSVC_DATABASE_URL or the network to it",
    StoreError: "run `stemsvc migrate`",
    BrokerUnavailable: "start Redis or RabbitMQ, or repair STEMSVC_BROKER_URL",
    StorageUnavailable: "repair STEMSVC_S3_ENDPOINT_URL or the network to it",
    StorageDenied: "allow the S3 keys to put, get, list and delete in the bucket, or repair STEMSVC_S3_ACCESS_KEY_ID",
    StorageMissing: "make the bucket, or correct STEMSVC_S3_BUCKET",
    StorageFull: "free space, or shorten STEMSVC_STEMS_TTL_SECONDS",
    WeightsCorrupt: "run the command that the finding names",
}
Port = tuple[str, int, str]  # host, port, and what changes it


def check_folders(settings: Settings) -> None:
    """Raise `FatalError` `folder_refused` or `disk_low` unless the data folder and the scratch folder take files."""
    check_folder(settings.data_dir, "STEMSVC_DATA_DIR", settings.min_free_bytes)
    if settings.scratch_dir is not None:
        check_folder(settings.scratch_dir, "STEMSVC_SCRATCH_DIR", settings.min_free_bytes)


def check_folder(folder: Path, name: str, least_bytes: int) -> None:
    """Write into a folder, which is made if it is missing. `name` is the setting that names it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        if error.errno in FULL:
            raise DiskLow(f"{folder} is full: free space, or move {name}") from error
        why = f"{folder} can't be written ({error.strerror})"
        raise FolderRefused(f"{why}: repair its owner or permissions, or name another folder in {name}") from error
    if free < least_bytes:
        detail = f"{free >> 20} MB are free in {folder}, {least_bytes >> 20} MB must be"
        raise DiskLow(f"{detail}: free space, or move {name}; STEMSVC_MIN_FREE_BYTES is the limit")


def check_ports(ports: Iterable[Port], patience: float = 0.0) -> None:
    """Raise `FatalError` `port_taken` for a port that can't be listened on, `bad_setting` for a host of others.

    `patience` is how long to wait for a port, in seconds: a process that was just killed may leave it a little later.
    """
    until = time.monotonic() + patience
    for host, port, setting in ports:
        while port:
            try:
                _check_port(host, port, setting)
                break
            except PortTaken:
                if time.monotonic() >= until:
                    raise
                time.sleep(0.2)


def _check_port(host: str, port: int, setting: str) -> None:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: closed connections linger
            probe.bind(address)
            probe.listen(1)
    except socket.gaierror as error:
        raise BadSetting(f"STEMSVC_API_HOST: {host!r} is no address ({error.strerror})") from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise BadSetting(f"STEMSVC_API_HOST: {host} is no address of this machine") from error
        why = "another program has" if error.errno == errno.EADDRINUSE else f"{error.strerror} for"
        raise PortTaken(f"{why} port {port} of {host}: name another one by {setting}") from error


def check_parts(settings: Settings, *, private_broker: bool) -> None:
    """Ask the job store, the broker and the storage that the settings name. Raises their errors, with what to do."""
    for check in _checks(settings, private_broker):
        with told():
            check()


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Say what to do in an error's detail, where an operator does something else than a client."""
    try:
        yield
    except StemsvcError as error:
        remedy = REMEDIES.get(type(error))
        raise error.saying(f"{error.detail}: {remedy}" if remedy else error.detail) from error


def _checks(settings: Settings, private_broker: bool) -> Iterator[Callable[[], None]]:
    if settings.database_url:
        yield lambda: _store(settings)
    if not private_broker:
        yield lambda: _broker(settings)
    yield lambda: _storage(settings)


def _store(settings: Settings) -> None:
    from stemsvc.jobstore.engine import revisions

    revisions(settings.resolved_database_url)


def _broker(settings: Settings) -> None:
    from stemsvc.queue.celery import Publisher

    publisher = Publisher(settings)
    try:
        publisher.ping()
    finally:
        publisher.close()


def _storage(settings: Settings) -> None:
    from stemsvc.storage import open_storage

    open_storage(settings, attempts=1).check()
