"""Asks a part of the service that may block, and waits for its answer for a limited time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Generic, TypeVar

from stemsvc.errors import BrokerUnavailable, InternalError, StemsvcError, StorageUnavailable, StoreUnavailable
from stemsvc.observe.loggers import get_logger

log = get_logger()
T = TypeVar("T")


class Asking(Generic[T]):
    """Calls a function in a thread of its own. Whoever asks while a call runs waits for that call.

    So a call that is stuck, in a driver or in the kernel, holds one thread, however often it is asked.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._guard = threading.Lock()
        self._running: Future[T] | None = None

    def begin(self) -> Future[T]:
        """The call that runs, or a new one. Its `result` raises what the function raises."""
        with self._guard:
            if self._running is None:
                self._running = Future()
                threading.Thread(target=self._run, args=(self._running,), name="asking", daemon=True).start()
            return self._running

    def _run(self, future: Future[T]) -> None:
        try:
            result = self._call()
        except BaseException as error:
            self._end()
            future.set_exception(error)
        else:
            self._end()
            future.set_result(result)

    def _end(self) -> None:
        with self._guard:
            self._running = None


class Readiness:
    """Whether the store, the storage and the broker answer."""

    # what a part that does not answer in time is said to be
    SILENT: Mapping[str, type[StemsvcError]] = {
        "store": StoreUnavailable,
        "storage": StorageUnavailable,
        "broker": BrokerUnavailable,
    }

    def __init__(self, store: Callable[[], None], storage: Callable[[], None], broker: Callable[[], None]) -> None:
        self._asking = {"store": Asking(store), "storage": Asking(storage), "broker": Asking(broker)}

    def parts(self, seconds: float) -> dict[str, str]:
        """By part `ok`, or the code of its error. All are asked at once, and have `seconds` together."""
        deadline = time.monotonic() + seconds
        begun = {name: asking.begin() for name, asking in self._asking.items()}
        return {name: self._outcome(name, call, deadline) for name, call in begun.items()}

    def _outcome(self, name: str, call: Future[None], deadline: float) -> str:
        try:
            call.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            return self.SILENT[name].code
        except StemsvcError as error:
            return error.code
        except Exception:
            log.exception("a part can't be asked", part=name)
            return InternalError.code
        return "ok"
