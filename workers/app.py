"""Celery's entry: `celery -A workers.app worker` with the environment's settings. `stemsvc worker` runs it.

A spawned pool process rebuilds the app from its pickled settings. It gets the tasks and the log setup by importing
this module, which is why `imports` names it.
"""

from __future__ import annotations

import os
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.signals import (
    setup_logging,
    task_failure,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from stemsvc.control.secret_changes import SecretChanges
from stemsvc.host.folders import keep_private, tighten
from stemsvc.jobs.pools import FETCH, find_pool
from stemsvc.jobstore import JobStore
from stemsvc.kinds.registry import configured_pools, modelless
from stemsvc.models.catalog import load_catalog
from stemsvc.observe import port
from stemsvc.observe.collector import observe
from stemsvc.observe.logs import configure_logs
from stemsvc.observe.otlp_metrics import send_metrics, stop_sending
from stemsvc.observe.traces import flush
from stemsvc.queue.celery import make_celery
from stemsvc.settings import Settings
from workers import tasks as tasks
from workers.host import shutdown
from workers.host.dead import end_leases_of_the_dead
from workers.host.idle import IdleEnd
from workers.host.liveness import Liveness
from workers.host.presence import MainPresence, Presence
from workers.webhooks import Deliveries, deliverer

app = make_celery(Settings())
app.steps["worker"].add(Liveness)
app.steps["worker"].add(IdleEnd)
app.conf.imports = ("workers.app",)
_present: list[Presence | MainPresence] = []
_webhooks: list[Deliveries] = []


@setup_logging.connect
@worker_process_init.connect
def _logs(**_: Any) -> None:
    settings = Settings()
    configure_logs(settings.log_format, settings.log_level)
    observe("worker", settings)


@worker_process_init.connect
def _come(**_: Any) -> None:
    _present.clear()  # of the main process, where this one was forked later
    _appear(Settings(), slots=1, main=os.getppid())


@worker_process_shutdown.connect
def _go(**_: Any) -> None:
    flush()
    while _present:
        _present.pop().stop()


def _appear(settings: Settings, slots: int, main: int | None = None) -> None:
    names = tuple(filter(None, settings.serves.split(",")))
    if not names:
        return

    def device() -> str:
        pools = configured_pools(settings.pools, load_catalog(settings.catalog))
        found = (find_pool(pools, name, modelless()) for name in names)
        return next((pool.device for pool in found if pool), "none")

    _present.append(Presence(_store(settings), names, device, settings.worker_beat_seconds, slots, settings, main))
    _present[-1].start()


def _store(settings: Settings) -> JobStore:
    return JobStore(settings.resolved_database_url, url_now=lambda: settings.fresh().resolved_database_url)


@task_failure.connect
def _child_died(exception: BaseException, kwargs: dict[str, Any], **_: Any) -> None:
    if isinstance(exception, WorkerLostError):  # this runs in the main process, which is alive
        end_leases_of_the_dead(Settings(), str(kwargs.get("job_id")))


@worker_ready.connect
def _ready(sender: Any, **_: Any) -> None:
    settings = Settings()
    port.serve(settings.metrics_host, settings.metrics_port)
    send_metrics("worker", settings)
    SecretChanges(settings).start()
    if type(sender.pool).__module__.endswith(".thread"):  # it has no pool processes that report themselves
        _appear(settings, settings.concurrency)
    else:
        _present.append(MainPresence(_store(settings), settings.worker_beat_seconds))
        _present[-1].start()
    if FETCH in settings.serves.split(","):
        _webhooks.append(Deliveries(deliverer(settings), settings.webhook_threads))
        _webhooks[-1].start()
    if settings.ready_file:
        settings.ready_file.touch()


@worker_shutting_down.connect
def _not_ready(**_: Any) -> None:
    _go()
    shutdown.request()  # for the threads of a fetcher; Celery itself asks pool processes to stop
    for each in _webhooks:
        each.stop()
    if path := Settings().ready_file:
        path.unlink(missing_ok=True)


@worker_shutdown.connect
def _let_webhooks_end(**_: Any) -> None:
    while _webhooks:
        _webhooks.pop().join()
    stop_sending()


@worker_init.connect
def _begin(**_: Any) -> None:
    keep_private()  # its pool processes inherit it; `stemsvc worker` has done it already
    settings = Settings()
    tighten(settings.data_dir)
    end_leases_of_the_dead(settings)
