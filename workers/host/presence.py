"""A pool process's signs of life: its pools, its device, the models that it holds, the jobs that it runs."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stemsvc.control.facts import Report
from stemsvc.errors import StemsvcError
from stemsvc.host import memory
from stemsvc.jobs.pools import FETCH
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.workers import MAIN, Worker
from stemsvc.kinds.registry import able
from stemsvc.observe.harmless import harmless
from stemsvc.observe.loggers import get_logger
from stemsvc.settings import Settings
from workers.host import activity, capabilities
from workers.host.identity import worker_name

log = get_logger()
LIVES = 3.0  # beats that a worker may miss before it counts as dead


class _Signs:
    """Writes signs of life to the store every `seconds`, from `start` to `stop`, in a thread.

    The store is its own, and is closed at the end.
    """

    def __init__(self, store: JobStore, seconds: float) -> None:
        self._store = store
        self._id = worker_name(os.getpid())
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and tell the store that this process has left."""
        self._stop.set()
        self._thread.join(timeout=2.0)
        with contextlib.suppress(StemsvcError):
            self._leave()
        self._store.close()

    def _leave(self) -> None:
        self._store.workers.leave(self._id)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._store.workers.beat(self._sign(), LIVES * self._seconds)
            except StemsvcError as error:
                log.warning("sign of life not stored", code=error.code, detail=error.detail)
            except Exception:  # a worker that lives must not be taken for dead
                log.exception("sign of life not stored")
            self._after()
            self._stop.wait(self._seconds)

    def _sign(self) -> Worker:
        raise NotImplementedError

    def _after(self) -> None:
        """What else each round does."""


class MainPresence(_Signs):
    """A main process's signs of life, by which a pool process that is lost alone is told from a whole worker."""

    def _sign(self) -> Worker:
        return Worker(self._id, (), "", "", slots=0, version=version("stemsvc"), kinds=())

    def _after(self) -> None:
        self._store.close()  # pool processes are forked beside this thread: they must inherit no open connection


class Presence(_Signs):
    """A pool process's signs of life. `find_device` says where its pools compute; it may take long."""

    def __init__(
        self,
        store: JobStore,
        pools: tuple[str, ...],
        find_device: Callable[[], str],
        seconds: float,
        slots: int = 1,
        settings: Settings | None = None,
        main: int | None = None,
    ) -> None:
        """With `settings`, the store is told too what the process runs with.

        `main` is the process id of the worker's main process; None: this one.
        """
        super().__init__(store, seconds)
        self._main = worker_name(main or os.getpid())
        self._pools = pools
        self._find_device = find_device
        self._slots = slots
        self._settings = settings
        self._device = ""
        self._device_name = ""
        self._facts: Mapping[str, Any] = {}
        self._report: Report | None = None

    def _leave(self) -> None:
        super()._leave()
        self._store.processes.leave(self._id)

    def _run(self) -> None:
        self._device = self._find_device()
        self._device_name, self._facts = _device_name(self._device), capabilities.lasting(self._device)
        self._report = self._new_report()
        super()._run()

    def _after(self) -> None:
        if self._report:
            self._report.tell()

    @harmless()
    def _new_report(self) -> Report | None:
        role = "fetcher" if self._pools == (FETCH,) else "worker"
        return Report(self._store, self._id, role, self._settings) if self._settings else None

    def _sign(self) -> Worker:
        jobs, models = activity.now()
        return Worker(
            self._id,
            self._pools,
            self._device,
            self._device_name,
            self._slots,
            _free_memory_mb(self._device),
            models,
            jobs,
            version("stemsvc"),
            tuple(able()),
            {**self._facts, "load": capabilities.load(), MAIN: self._main},
        )


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device) if torch.cuda.is_available() else "no CUDA device"
    with contextlib.suppress(OSError):  # only Linux has it
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()[:200]
    return platform.processor() or platform.machine()


@harmless()
def _free_memory_mb(device: str) -> int | None:
    """Free memory in MB: the card's on CUDA, else that of the machine or container; None if it can't be known."""
    if device.startswith("cuda"):
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_initialized():
            return None
        return int(torch.cuda.mem_get_info(device)[0] >> 20)
    free = memory.available()
    return None if free is None else free >> 20
