"""The SDK's own client, over both transports, to a server of ours before a real api; jobs are done by hand."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.edge import auth
from stemsvc.embedded.ports import free_port
from tests.api.conftest import app_settings, client, parts, url
from tests.processes import LocalProcess, plain_environment, stemsvc, wait_for

__all__ = ["app_settings", "client", "parts", "url"]
Connect = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The api, which runs in this process, knows at once that there are keys."""
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the assistant may send of: a song, a folder, and a link that leads out."""
    found = tmp_path / "music"
    (found / "album").mkdir(parents=True)
    (found / "song.wav").write_bytes(b"RIFF....WAVE")
    (tmp_path / "secret.txt").write_text("a secret")
    (found / "leads-out").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(found / "pipe")
    return found


@pytest.fixture
def served(url: str, tmp_path: Path) -> Iterator[str]:
    """The address of the server over HTTP."""
    port = free_port()
    command = stemsvc("mcp", "--url", url, "--http", str(port))

    def answers(_: LocalProcess) -> bool:
        try:
            return httpx.post(f"http://127.0.0.1:{port}/mcp", timeout=30).status_code > 0  # a GET would be a stream
        except httpx.HTTPError:
            return False

    environment = plain_environment(STEMSVC_DATA_DIR=str(tmp_path / "nothing"), STEMSVC_CLIENT_KEY="not lent")
    process = LocalProcess("mcp", command, environment, tmp_path, answers)
    wait_for("the server for assistants", lambda: answers(process), 300)
    yield f"http://127.0.0.1:{port}/mcp"
    process.teardown()


@pytest.fixture(params=["stdio", pytest.param("http", marks=pytest.mark.long)])
def connect(request: pytest.FixtureRequest, url: str, folder: Path, tmp_path: Path) -> Connect:
    """Connect the SDK's client, with a key or without."""
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters

    if request.param == "http":
        address: str = request.getfixturevalue("served")
        return lambda key=None: over_http(address, key)

    @asynccontextmanager
    async def by_stdio(key: str | None = None) -> AsyncIterator[Any]:
        environment = plain_environment(STEMSVC_DATA_DIR=str(tmp_path / "nothing"), STEMSVC_CLIENT_URL=url)
        if key:
            environment["STEMSVC_CLIENT_KEY"] = key
        arguments = stemsvc("mcp", "--folder", str(folder))[1:]
        command = StdioServerParameters(command=sys.executable, args=arguments, env=environment, cwd=tmp_path)
        async with Client(command, read_timeout_seconds=300) as found:
            yield found

    return by_stdio


@asynccontextmanager
async def over_http(address: str, key: str | None = None) -> AsyncIterator[Any]:
    """The SDK's client over HTTP; its requests carry the key."""
    import httpx2
    from mcp.client import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    carrier = httpx2.AsyncClient(headers=headers, timeout=300)
    transport = streamable_http_client(address, http_client=carrier)
    async with carrier, Client(transport, read_timeout_seconds=300) as found:
        yield found
