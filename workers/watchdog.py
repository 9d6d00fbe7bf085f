"""Notices that this worker has gone deaf, and has it connect to the broker anew.

Measured with Celery and kombu 5.7 on Redis: when the server drops the connections of a worker that is busy, the worker
ends its job, then waits for messages on a socket that it does not look at. It answers pings and takes no work.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import bootsteps
from celery.worker import state

from stemsvc.errors import TransientError
from stemsvc.queue import Publisher
from stemsvc.settings import Settings

log = logging.getLogger(__name__)
LOOK_SECONDS = 2.0
LOOKS = 2  # in a row, for a message may just be on its way


class Watchdog(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of Celery's consumer; it starts anew with every connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._publisher = Publisher(Settings())
        self._timer: Any = None
        self._deaf = 0

    def start(self, parent: Any) -> None:
        """Begin to look."""
        self._deaf = 0
        self._timer = parent.timer.call_repeatedly(LOOK_SECONDS, self.look, (parent,))

    def stop(self, parent: Any) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def look(self, consumer: Any) -> None:
        """Raise one of the broker's connection errors, which Celery answers with a new connection, if we are deaf."""
        idle = not state.reserved_requests and not state.active_requests
        self._deaf = self._deaf + 1 if idle and self._messages_wait(consumer) else 0
        if self._deaf >= LOOKS:
            log.warning("messages wait and none comes: connecting to the broker anew")
            raise consumer.connection_errors[0]("this worker no longer hears the broker")

    def _messages_wait(self, consumer: Any) -> bool:
        try:
            return any(self._publisher.backlog(queue) for queue in consumer.app.amqp.queues.consume_from)
        except TransientError:  # the broker is away, which Celery sees for itself
            return False
