"""Encoders that run beside the network, one thread for each file."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from workers.audio.encode import Encoded, Encoder

Sound = NDArray[np.float32]
AHEAD = 2  # pieces that may wait for an encoder: memory stays flat, and a slow encoder slows the network down


class Writers:
    """Several files written at once. What an encoder raises is raised by the next `write` or by `close`.

    `outputs` names the output that each file gets: one may have files in several formats.
    """

    def __init__(self, make: dict[str, Callable[[], Encoder]], outputs: dict[str, str]) -> None:
        self._writers = {name: _Writer(name, encoder) for name, encoder in make.items()}
        self._outputs = outputs

    def __enter__(self) -> Writers:
        for writer in self._writers.values():
            writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.stop()

    def write(self, pieces: dict[str, Sound]) -> None:
        """Hand each output's next samples [n, 2] to the encoders of its files; waits while one is behind."""
        for name, writer in self._writers.items():
            writer.put(pieces[self._outputs[name]])

    def close(self) -> dict[str, Encoded]:
        """Wait for all files to be finished."""
        for writer in self._writers.values():
            writer.put(None)
        return {name: writer.result() for name, writer in self._writers.items()}


class _Writer(threading.Thread):
    """One encoder's thread."""

    def __init__(self, name: str, make: Callable[[], Encoder]) -> None:
        super().__init__(name=f"encode-{name}", daemon=True)
        self._make = make
        self._queue: queue.Queue[Sound | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._encoded: Encoded | None = None

    def put(self, samples: Sound | None) -> None:
        """Queue samples; None ends the file."""
        while True:
            if self._error is not None:
                raise self._error
            with contextlib.suppress(queue.Full):
                return self._queue.put(samples, timeout=0.2)

    def result(self) -> Encoded:
        """The finished file."""
        self.join()
        if self._error is not None:
            raise self._error
        assert self._encoded is not None
        return self._encoded

    def stop(self) -> None:
        """End the thread, whatever it was doing."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Encode what comes until the end or the stop."""
        try:
            encoder = self._make()
            try:
                while (samples := self._next()) is not None:
                    encoder.write(samples)
                if not self._stopped.is_set():
                    self._encoded = encoder.close()
            finally:
                if self._encoded is None:
                    encoder.abort()
        except BaseException as error:
            self._error = error

    def _next(self) -> Sound | None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=0.2)
        return None
