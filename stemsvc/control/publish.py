"""Sends the messages of queued jobs: in batches, and not on the requests' threads."""

from __future__ import annotations

import contextlib
import threading
import time

from stemsvc.errors import StemsvcError, TransientError
from stemsvc.jobstore.outbox import Claimed, Outbox
from stemsvc.observe.loggers import get_logger
from stemsvc.queue.celery import Publisher

log = get_logger()
BATCH = 100  # jobs claimed at a time
QUIET_SECONDS = 0.05  # a burst of requests is answered first, then published
LONGEST_SECONDS = 1.0  # however long the burst lasts


class Sender:
    """Publishes due jobs. Any number of threads and processes may do so at once: only one of them claims a job."""

    def __init__(self, outbox: Outbox, publisher: Publisher) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._closed = threading.Event()
        self._last = 0.0  # when it was woken last

    def wake(self, at_once: bool = False) -> None:
        """Have a thread send what is due: in a moment, or at once where no burst is expected.

        The dispatcher sends what the thread fails to send.
        """
        self._last = 0.0 if at_once else time.monotonic()
        self._woken.set()
        with self._guard:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
                self._thread.start()

    def send_due(self) -> int:
        """Publish every due job that has no message; returns how many. Raises `TransientError` `store_unavailable`.

        Where the broker does not answer, the jobs stay unpublished.
        """
        count = 0
        while claimed := self._outbox.claim(BATCH):
            sent = self._send(claimed)
            count += sent
            if sent < BATCH:  # there are no more, or the broker is away
                break
        return count

    def _send(self, claimed: list[Claimed]) -> int:
        for sent, each in enumerate(claimed):
            try:
                self._publisher.publish(each)
            except TransientError as error:
                log.warning("not published yet", jobs=len(claimed) - sent, code=error.code, detail=error.detail)
                with contextlib.suppress(TransientError):  # the dispatcher finds a claim without a message
                    self._outbox.unclaim([rest.job_id for rest in claimed[sent:]])
                return sent
        return len(claimed)

    def close(self) -> None:
        """Send what is due and end the thread."""
        self._closed.set()
        self._woken.set()
        with self._guard:
            thread = self._thread
        if thread:
            thread.join()

    def _run(self) -> None:
        while True:
            self._woken.wait()
            start = time.monotonic()
            while time.monotonic() < min(self._last + QUIET_SECONDS, start + LONGEST_SECONDS):
                if self._closed.wait(QUIET_SECONDS / 2):
                    break
            self._woken.clear()
            closed = self._closed.is_set()
            try:
                self.send_due()
            except StemsvcError as error:
                log.warning("not published yet", code=error.code, detail=error.detail)
            except Exception:
                log.exception("not published yet")
            if closed:
                return
