"""Celery's entry: `celery -A workers.app worker` with the environment's settings. Run it by `stemsvc worker`.

A spawned pool child rebuilds the app from its pickled settings and learns of the tasks and the log setup by
importing this module, which is why `imports` names it.
"""

from __future__ import annotations

from typing import Any

from billiard.exceptions import WorkerLostError
from celery.signals import (
    setup_logging,
    task_failure,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutting_down,
)

from stemsvc.logs import configure_logs
from stemsvc.queue import make_celery
from stemsvc.settings import Settings
from workers import metrics, stopping
from workers import tasks as tasks
from workers.lost import end_leases_of_the_dead

app = make_celery(Settings())
app.conf.imports = ("workers.app",)


@setup_logging.connect
@worker_process_init.connect
def _logs(**_: Any) -> None:
    configure_logs(Settings())


@task_failure.connect
def _child_died(exception: BaseException, kwargs: dict[str, Any], **_: Any) -> None:
    if isinstance(exception, WorkerLostError):  # told to the parent, which lives
        end_leases_of_the_dead(Settings(), str(kwargs.get("job_id")))


@worker_ready.connect
def _ready(**_: Any) -> None:
    settings = Settings()
    metrics.serve(settings)
    if settings.ready_file:
        settings.ready_file.touch()


@worker_shutting_down.connect
def _not_ready(**_: Any) -> None:
    stopping.tell()  # to the threads of a fetcher; children of a prefork pool are told by Celery
    if path := Settings().ready_file:
        path.unlink(missing_ok=True)


@worker_init.connect
def _look_after_the_dead(**_: Any) -> None:
    end_leases_of_the_dead(Settings())
