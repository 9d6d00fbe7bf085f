"""Flower shows what runs to those who know its password, and nothing to others."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from flower.urls import handlers
from pydantic import SecretStr

from stemsvc.embedded.flower import flower_command
from stemsvc.embedded.ports import free_port
from stemsvc.embedded.redis_server import RedisServer
from stemsvc.errors import BadSetting
from stemsvc.settings import Settings
from tests.processes import LocalProcess, wait_for

PASSWORD = "long: and secret"
OPEN = {"/healthcheck", "/static/(.*)", "/login/?"}
PATHS = [route.regex.pattern.rstrip("$") if hasattr(route, "regex") else route[0] for route in handlers]


@pytest.fixture(scope="module")
def flower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Flower behind a password, as `up`, `stemsvc flower`, compose and the chart start it; its URL."""
    folder, port = tmp_path_factory.mktemp("flower"), free_port()
    redis = RedisServer(folder / "redis")
    redis.child.start()
    try:
        wait_for("redis", redis.answers)
        settings = Settings(
            data_dir=folder,
            broker_url=redis.url,
            flower_port=port,
            flower_password=SecretStr(PASSWORD),
            storage_secret=SecretStr("storage-secret"),
        )
        command, environment = flower_command(settings)
        assert not any(PASSWORD in word for word in command)
        assert "storage-secret" not in environment.values()
        url = f"http://127.0.0.1:{port}"

        def answers(_: LocalProcess) -> bool:
            try:
                return httpx.get(f"{url}/healthcheck", timeout=5).text == "OK"
            except httpx.HTTPError:
                return False

        process = LocalProcess("flower", command, environment, folder, answers)
        process.ready()
        yield url
        process.teardown()
    finally:
        redis.child.stop(10)


@pytest.mark.parametrize("auth", [None, ("stemsvc", "wrong"), ("", ""), ("stemsvc", "")])
def test_a_stranger_sees_no_page(flower: str, auth: tuple[str, str] | None) -> None:
    with httpx.Client(base_url=flower, auth=auth, timeout=20) as client:
        for path in PATHS:
            named = "/nowhere" if path == ".*" else path.replace("(.+)", "x").replace("(.*)", "x").rstrip("?")
            for method in ("GET", "POST"):
                answer = client.request(method, named)
                if path in OPEN:
                    assert "stemsvc" not in answer.text
                else:
                    assert answer.status_code in (401, 405), (method, path)
                    assert len(answer.text) < 200


def test_who_knows_the_password_sees_the_figures(flower: str) -> None:
    with httpx.Client(base_url=flower, auth=("stemsvc", PASSWORD), timeout=20) as client:
        figures = client.get("/metrics")
        assert figures.status_code == 200
        assert "flower_events_total" in figures.text
        assert client.get("/tasks").status_code == 200
        assert client.get("/api/tasks").json() == {}
        assert client.get("/nowhere").status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "stems.example.org"])
def test_beyond_the_loopback_a_password_is_needed(settings: Settings, host: str) -> None:
    beyond = settings.model_copy(update={"api_host": host})
    with pytest.raises(BadSetting):
        flower_command(beyond)
    flower_command(settings)
    flower_command(beyond.model_copy(update={"flower_password": SecretStr(PASSWORD)}))


@pytest.mark.parametrize("password", ["two,passwords", "geh\u00e9im", "a\nb"])
def test_a_password_that_flower_can_not_take_is_refused(settings: Settings, password: str) -> None:
    with pytest.raises(BadSetting):
        flower_command(settings.model_copy(update={"flower_password": SecretStr(password)}))
