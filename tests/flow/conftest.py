"""The whole service as real processes: Redis and worker as pytest-celery nodes, api and dispatcher beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pytest_celery import (
    CeleryBrokerCluster,
    CeleryTestBroker,
    CeleryTestSetup,
    CeleryTestWorker,
    CeleryWorkerCluster,
)
from stemsvc_client import Client

from stemsvc.embedded.ports import free_port
from stemsvc.embedded.redis_server import RedisServer
from stemsvc.queue.celery import make_celery
from stemsvc.settings import Settings
from tests.conftest import ACCESS_KEY, SECRET_KEY
from tests.processes import LocalProcess, plain_environment, stemsvc


@pytest.fixture
def backing() -> dict[str, str]:
    """Settings of the store and the storage; the embedded defaults unless a test asks for others."""
    return {}


@pytest.fixture
def models() -> tuple[str, ...]:
    """The models that the worker serves."""
    return ("demo",)


@pytest.fixture
def production(postgres_url: str, rclone_endpoint: str) -> dict[str, str]:
    """PostgreSQL and S3."""
    return production_on(postgres_url, rclone_endpoint)


def production_on(database: str, endpoint: str) -> dict[str, str]:
    """Settings of the store on that database and of the storage at that S3."""
    return {
        "STEMSVC_DATABASE_URL": database,
        "STEMSVC_STORAGE": "s3",
        "STEMSVC_S3_ENDPOINT_URL": endpoint,
        "STEMSVC_S3_BUCKET": "stems",
        "STEMSVC_S3_REGION": "us-east-1",
        "STEMSVC_S3_ACCESS_KEY_ID": ACCESS_KEY,
        "STEMSVC_S3_SECRET_ACCESS_KEY": SECRET_KEY,
    }


@pytest.fixture
def celery_broker_cluster(tmp_path: Path) -> Iterator[CeleryBrokerCluster]:
    """One real Redis."""
    server = RedisServer(tmp_path / "redis")
    process = LocalProcess(
        "redis", server.child.command, plain_environment(), tmp_path, lambda _: server.answers(), server.url
    )
    process.ready()
    cluster = CeleryBrokerCluster(CeleryTestBroker(process))
    yield cluster
    cluster.teardown()
    process.teardown()


@pytest.fixture
def celery_backend_cluster() -> None:
    """The job store is the truth, so there is no result backend to stand up."""


@pytest.fixture
def celery_worker_cluster_config(celery_broker_cluster: CeleryBrokerCluster) -> dict[str, object]:
    """What the setup's own Celery app connects to."""
    urls = {"urls": [node.container.celeryconfig["url"] for node in celery_broker_cluster]}
    return {"celery_broker_cluster_config": {**urls, "host_urls": urls["urls"]}}


@pytest.fixture
def environment(tmp_path: Path, celery_broker_cluster: CeleryBrokerCluster, backing: dict[str, str]) -> dict[str, str]:
    """What api, dispatcher and worker share."""
    return plain_environment(
        STEMSVC_DATA_DIR=str(tmp_path / "data"),
        STEMSVC_BROKER_URL=celery_broker_cluster[0].container.celeryconfig["url"],
        STEMSVC_DISPATCH_INTERVAL_SECONDS="0.3",
        STEMSVC_RETRY_BASE_SECONDS="0.2",
        STEMSVC_SHUTDOWN_GRACE_SECONDS="31",
        STEMSVC_MAX_UPLOAD_BYTES="20000000",
        STEMSVC_CONCURRENCY="1",
        STEMSVC_OFFLINE="true",
        STEMSVC_DEFAULT_MODEL="demo",
        **{"STEMSVC_RESULT_CACHE": "false", **backing},
    )


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    client: Client
    api: LocalProcess
    folder: Path


@pytest.fixture
def service(tmp_path: Path, environment: dict[str, str]) -> Iterator[Service]:
    """The api and the dispatcher."""
    url = f"http://127.0.0.1:{free_port()}"
    port = url.rsplit(":", 1)[1]

    def answers(_: LocalProcess) -> bool:
        try:
            return httpx.get(f"{url}/healthz/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    api = LocalProcess(
        "api", stemsvc("api", "--port", port), {**environment, "STEMSVC_METRICS_PORT": "0"}, tmp_path, answers
    )
    api.ready()
    dispatcher = LocalProcess(
        "dispatcher",
        stemsvc("dispatcher"),
        {**environment, "STEMSVC_METRICS_PORT": "0", "STEMSVC_ALIVE_FILE": ""},
        tmp_path,
        lambda _: True,
    )
    with Client(url) as client:
        yield Service(url, client, api, tmp_path / "data")
    dispatcher.teardown()
    api.teardown()


@pytest.fixture
def celery_worker_cluster(
    tmp_path: Path, service: Service, environment: dict[str, str], models: tuple[str, ...]
) -> Iterator[CeleryWorkerCluster]:
    """One worker process, a pool of its own as in production."""
    arguments = [part for model in models for part in ("--model", model)]
    app = make_celery(Settings(broker_url=environment["STEMSVC_BROKER_URL"]))

    def answers(process: LocalProcess) -> bool:
        return any(f"-{process.pid}-" in name for reply in app.control.ping(timeout=0.5) for name in reply)

    process = LocalProcess("worker", stemsvc("worker", *arguments, "--device", "cpu"), environment, tmp_path, answers)
    node = CeleryTestWorker(process, app)
    cluster = CeleryWorkerCluster(node)
    yield cluster
    cluster.teardown()  # this one leaves its nodes running
    process.teardown()
    app.close()


@pytest.fixture
def running(celery_setup: CeleryTestSetup, service: Service) -> Service:
    """Everything is up: send jobs."""
    assert celery_setup.worker is not None
    return service
