"""The Celery side that api and workers share: the app's settings, task names, publishing by name.

The settings follow measurements on Celery and kombu 5.7 (see docs/reliability.md): a job must survive
the death of any one process, and the row in the job store, not the message, is the truth.
"""

from __future__ import annotations

import secrets
from typing import Any

from celery import Celery
from kombu.exceptions import ChannelError, ConnectionError, OperationalError
from kombu.utils.scheduling import round_robin_cycle
from opentelemetry.trace import SpanKind
from redis.exceptions import RedisError

from stemsvc.errors import BrokerUnavailable
from stemsvc.jobs.record import Priority
from stemsvc.jobstore.outbox import Claimed
from stemsvc.observe.traces import PARENT, Attributes, current_parent, span
from stemsvc.settings import Settings

# What kombu, py-amqp and redis-py raise where the broker is away or refuses, as a full Redis does.
AWAY = (OperationalError, ConnectionError, OSError, RedisError)
CONFIRM_SECONDS = 3.0  # RabbitMQ confirms when the message is safe, but not while it is short of memory or disk


class Tasks:
    """Names of the tasks, so that the api publishes without importing the workers."""

    RUN = "stemsvc.run"
    SEPARATE = "stemsvc.separate"  # workers still take it, for one release; nobody publishes it
    FETCH = "stemsvc.fetch"  # the same
    DELIVER = "stemsvc.tell"  # the same: fetchers find due deliveries in the store


def make_celery(settings: Settings) -> Celery:
    """The Celery app; opens no connection."""
    topology = "stemsvc.queue.rabbitmq:Topology" if is_rabbitmq(settings.broker_url) else None
    app = Celery("stemsvc", set_as_current=False, amqp=topology)
    app.conf.update(celery_config(settings))
    return app


def is_rabbitmq(broker_url: str) -> bool:
    """Whether the broker is RabbitMQ; else it is Redis or speaks its protocol."""
    return broker_url.startswith("amqp")


def celery_config(settings: Settings) -> dict[str, Any]:
    """Celery's settings, each with the reason where it is not the default."""
    redis = not is_rabbitmq(settings.broker_url)
    # A worker itself ends a job that computes for too long (workers.attempt.lease); the wait for the device does not
    # count. Celery's limit is for a process where even that fails.
    limit, grace = 2 * settings.job_time_limit_seconds + 600, settings.shutdown_grace_seconds
    config: dict[str, Any] = {
        "broker_url": settings.broker_url,
        # CUDA does not survive a fork, and a spawned pool process needs the time to import torch
        "worker_pool": "prefork",
        "worker_pool_start_method": "spawn",
        "worker_proc_alive_timeout": 120.0,
        # A message is acknowledged only when its task has ended, also where the task kills its pool process: the job's
        # row counts attempts, and the dispatcher sends the next message when the lease is over.
        "task_acks_late": True,
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        "task_reject_on_worker_lost": False,
        "task_retry_on_worker_lost": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # no job waits in a worker's memory while another worker is idle
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": redis,
        "worker_concurrency": settings.concurrency,
        "task_time_limit": limit,
        "task_soft_time_limit": max(1, limit - 30),
        "worker_soft_shutdown_timeout": float(max(5, grace - 30)),
        # an idle worker has nothing to finish (no ETA tasks here: retries wait in the job's row), so it stops at once
        "worker_enable_soft_shutdown_on_idle": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_publish_retry": False,  # the dispatcher publishes later what could not be published now
        "worker_send_task_events": True,  # for Flower; where nobody listens, nothing is kept
        "task_ignore_result": True,  # no result backend: the job's row has its result
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "task_default_queue": "separate",
    }
    if redis:
        options = {
            "queue_order_strategy": "stemsvc.queue.celery:HighFirst",
            "visibility_timeout": limit + grace + 60,  # a shorter one would deliver a long job twice
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            # No retry_on_timeout: with it redis-py 8 answers a dropped connection by connecting again and reading on,
            # inside kombu's event loop and without end. The worker then takes no work and logs nothing.
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
            "socket_timeout": 30,
        }
        config |= {
            "broker_transport_options": options,
            "visibility_timeout": options["visibility_timeout"],
        }
    else:
        config |= {
            "broker_heartbeat": 30,
            "broker_transport_options": {"confirm_publish": True},
            "worker_detect_quorum_queues": True,
        }
    return config


class HighFirst(round_robin_cycle):
    """The order in which a worker reads its queues in Redis: by priority, in turns among those of the same priority."""

    def consume(self, n: int) -> list[str]:
        """The next `n` queues."""
        return sorted(self.items, key=_rank)[:n]


def _rank(queue: str) -> int:
    return next((each for each in (Priority.HIGH, Priority.LOW) if queue.endswith(f".{each.word}")), Priority.NORMAL)


class Publisher:
    """Sends the messages of jobs to the broker."""

    def __init__(self, settings: Settings) -> None:
        self._app = make_celery(settings)
        self._options: dict[str, float] = {}
        self._system = "rabbitmq" if is_rabbitmq(settings.broker_url) else "redis"
        impatient: dict[str, float] = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
        if is_rabbitmq(settings.broker_url):
            self._options = {"confirm_timeout": CONFIRM_SECONDS}
            # a RabbitMQ short of memory does not even answer when a connection is closed
            impatient |= {"read_timeout": CONFIRM_SECONDS, "write_timeout": CONFIRM_SECONDS}
        # An outage is not waited out here (kombu's default is 6 s a message): the dispatcher publishes later.
        self._app.conf.broker_transport_options = {**self._app.conf.broker_transport_options, **impatient}

    def publish(self, claimed: Claimed) -> None:
        """Send `{job_id}` to the job's queue; raises `TransientError` `broker_unavailable`."""
        facts: Attributes = {
            "stemsvc.job_id": claimed.job_id,
            "stemsvc.request_id": claimed.request_id or "",
            "messaging.system": self._system,
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.destination.name": claimed.queue,
        }
        # the name is that of OpenTelemetry's semantic conventions for messages
        with span(f"publish {claimed.queue}", facts, parent=claimed.trace, kind=SpanKind.PRODUCER):
            # an operator finds a job's messages in Flower by the job's id; a job may have several
            task_id = f"{claimed.job_id}.{secrets.token_hex(4)}"
            self._send(Tasks.RUN, {"job_id": claimed.job_id}, claimed.queue, task_id)

    def _send(self, task: str, kwargs: dict[str, str], queue: str, task_id: str) -> None:
        try:
            parent = current_parent()
            headers = {PARENT: parent} if parent else None
            self._app.send_task(task, kwargs=kwargs, queue=queue, task_id=task_id, headers=headers, **self._options)
        except AWAY as error:
            raise BrokerUnavailable(f"the broker does not answer: {error}") from error

    def backlog(self, queue: str) -> int:
        """Messages that wait in a queue; raises `TransientError` `broker_unavailable`."""
        try:
            with self._app.connection_for_read() as connection, connection.channel() as channel:
                return int(channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:  # no such queue: nothing was ever published, or the broker was wiped
            return 0
        except AWAY as error:
            raise BrokerUnavailable(f"the broker does not answer: {error}") from error

    def consumers(self, queue: str) -> list[str]:
        """Names of the workers that answer and take from a queue; raises `TransientError` `broker_unavailable`."""
        try:
            replies = self._app.control.inspect(timeout=2.0).active_queues() or {}
        except AWAY as error:
            raise BrokerUnavailable(f"the broker does not answer: {error}") from error
        return [worker for worker, queues in replies.items() if any(each["name"] == queue for each in queues)]

    def ping(self) -> None:
        """Raise `TransientError` `broker_unavailable` unless the broker answers."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
        except AWAY as error:
            raise BrokerUnavailable(f"the broker does not answer: {error}") from error

    def close(self) -> None:
        """Close every connection to the broker."""
        self._app.close()
