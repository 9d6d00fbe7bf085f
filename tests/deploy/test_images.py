"""The steps of both Dockerfiles run for real, and what they build does a job."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stemsvc.embedded.ports import free_port
from tests.deploy.buildah import Builder, context
from tests.lock import CUDA, normal, read
from tests.processes import wait_for

pytestmark = pytest.mark.long
SONG = next(Path("stemsvc/demo/song").glob("*.flac"))


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    # not in pytest's folder, which may lie deep: a socket of buildah's has a path of at most 108 bytes
    builder = Builder(Path(tempfile.mkdtemp(prefix="stemsvc-images-")))
    try:
        builder.make_base()
        yield builder
    finally:
        builder.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return context(tmp_path_factory.mktemp("context"))


@pytest.fixture(scope="module")
def api(builder: Builder, source: Path) -> str:
    builder.build(Path("deploy/api.Dockerfile"), source, "api", layers=True)
    return "api"


@pytest.fixture(scope="module")
def worker(builder: Builder, source: Path) -> str:
    builder.build(Path("deploy/worker.Dockerfile"), source, "worker", layers=False)
    return "worker"


def said(builder: Builder, image: str, *command: str, data: Path, **environment: str) -> str:
    """What a program says that ends by itself, and well."""
    process = builder.run(image, *command, data=data, **environment)
    assert process.wait(600) == 0, builder.said(process)
    return builder.said(process)


@pytest.fixture
def data(builder: Builder) -> Path:
    """A data folder of the images' user, as a volume of theirs is."""
    return builder.volume()


@pytest.mark.parametrize(
    ("kind", "there", "not_there"),
    [
        ("api", {"flask", "gunicorn", "celery", "flower"}, {"torch", "demucs"}),
        ("worker", {"torch", "demucs", "av", "celery"}, {"flask"}),
    ],
)
def test_an_image_has_the_packages_of_its_lock(
    builder: Builder, kind: str, there: set[str], not_there: set[str], data: Path, request: pytest.FixtureRequest
) -> None:
    image = request.getfixturevalue(kind)
    listed = said(builder, image, "cat", "/opt/stemsvc/packages.json", data=data)
    packages = {normal(each["name"]): each["version"] for each in json.loads(listed[listed.index("[") :])}
    assert there | {"stemsvc"} <= set(packages)
    assert not set(packages) & not_there
    pins = (*read(Path(f"deploy/{kind}.lock").read_text()), *read(Path(CUDA).read_text()))
    locked = {pin.name: pin.version for pin in pins}
    for name, number in packages.items():
        assert name in ("stemsvc", "pip", "setuptools") or locked[name] == number.partition("+")[0]
    config: dict[str, Any] = builder.inspect(image)["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["stemsvc"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Labels"]["org.stemsvc.sbom"] == "/opt/stemsvc/packages.json"


def test_a_change_of_our_code_leaves_the_packages_layer(builder: Builder, source: Path, api: str) -> None:
    before = builder.layers(api)
    changed = source / "stemsvc" / "errors.py"
    changed.write_text(changed.read_text() + "\n# changed\n")

    output = builder.build(Path("deploy/api.Dockerfile"), source, "changed", layers=True)

    steps = [step for step in output.split("STEP ") if "install.sh" in step and "RUN" in step.splitlines()[0]]
    assert len(steps) == 1
    assert "Using cache" in steps[0]
    after = builder.layers("changed")
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


def test_the_images_do_a_job(builder: Builder, api: str, worker: str, data: Path, redis_url: str) -> None:
    # given the programs of both images, as in a cluster, but with SQLite and a folder for objects
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "STEMSVC_BROKER_URL": redis_url,
        "STEMSVC_API_PROCESSES": "1",
        "STEMSVC_POOLS": "demo:cpu",
        "STEMSVC_THREADS": "2",
    }
    builder.run(api, "stemsvc", "api", "--host", "127.0.0.1", "--port", str(port), data=data, **settings)
    wait_for("the api", lambda: _alive(url), 600)
    builder.run(api, "stemsvc", "dispatcher", data=data, **settings)
    builder.run(worker, "stemsvc", "fetcher", data=data, **settings)
    builder.run(worker, "stemsvc", "worker", "--model", "demo", "--concurrency", "1", data=data, **settings)
    wait_for("the worker", lambda: sum(pool["slots"] for pool in httpx.get(f"{url}/v1/pools").json()["pools"]), 600)

    # when a song comes
    with SONG.open("rb") as file:
        job = (
            httpx.post(f"{url}/v1/jobs", files={"file": file}, data={"model": "demo"}, timeout=60)
            .raise_for_status()
            .json()
        )

    # then its stems can be had, and the doctor of each image is content
    def ended() -> Any:
        body = httpx.get(f"{url}/v1/jobs/{job['id']}", timeout=60).json()
        return body if body["state"] not in ("queued", "running") else None

    body = wait_for("the job", ended, 600)
    assert body["state"] == "succeeded", body
    for stem in body["stems"].values():
        assert len(httpx.get(stem["url"], timeout=60).raise_for_status().content) > 10_000
    options = said(builder, api, "stemsvc", "doctor", "--help", data=data)
    quick = ["--quick"] if "--quick" in options else []
    for image in (api, worker):
        said(builder, image, "stemsvc", "doctor", *quick, data=data, **settings)


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz/live", timeout=5).status_code == 200
    except httpx.TransportError:
        time.sleep(0.2)
        return False
