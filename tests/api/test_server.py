"""The api as gunicorn runs it: several processes, which show their metrics on one port, and clients behind a proxy."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.embedded.ports import free_port
from stemsvc.errors import PortTaken
from stemsvc.jobstore import JobStore
from stemsvc.observe import port
from stemsvc.settings import Settings
from tests.api.edge.test_connections import Api, answer
from tests.processes import wait_for

REQUESTS = 20
CLIENT, OTHER = "198.51.100.7", "203.0.113.9"


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, metrics_port: int) -> Iterator[Api]:
    """Two processes, to which a proxy of this machine passes requests on. A key exists."""
    made = Api(
        tmp_path_factory.mktemp("api"),
        STEMSVC_API_PROCESSES="2",
        STEMSVC_METRICS_PORT=str(metrics_port),
        STEMSVC_TRUSTED_PROXIES="127.0.0.1",
        STEMSVC_CONNECTIONS_PER_ADDRESS="2",
    )
    store = JobStore(Settings(data_dir=made.data).resolved_database_url)
    store.keys.add(new_key("k", frozenset(DEFAULT_SCOPES))[0])
    store.close()
    yield made
    made.process.teardown()


def processes(api: Api) -> list[int]:
    pid = api.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def counted(text: str) -> int:
    found = re.search(r'^stemsvc_http_seconds_count{method="GET",route="/v1/jobs",status="401"} (\S+)', text, re.M)
    return int(float(found[1])) if found else 0


def test_the_port_of_metrics_needs_no_key_and_tells_those_of_all_processes(api: Api, metrics_port: int) -> None:
    wait_for("the key to count", lambda: httpx.get(f"{api.url}/v1/jobs").status_code == 401)
    url = f"http://127.0.0.1:{metrics_port}/metrics"
    before = counted(httpx.get(url).text)
    for _ in range(REQUESTS):
        assert httpx.get(f"{api.url}/v1/jobs").status_code == 401
    # whichever process answers tells the same
    assert {counted(httpx.get(url).text) for _ in range(8)} == {before + REQUESTS}
    text = httpx.get(url).text
    assert 'demucs_live_slots{pool="fetch"} 0.0' in text
    assert "stemsvc_store_up 1.0" in text
    assert "stemsvc_schema_missing_revisions 0.0" in text
    # and nothing but metrics is there
    assert "stemsvc_store_up" in httpx.get(url.replace("/metrics", "/v1/jobs")).text
    assert httpx.get(f"{api.url}/metrics", headers={"Authorization": "Bearer any"}).status_code == 200


def test_a_process_that_hangs_keeps_prometheus_from_nothing(api: Api, metrics_port: int) -> None:
    for frozen in processes(api):
        os.kill(frozen, signal.SIGSTOP)
        try:
            for _ in range(4):
                assert "stemsvc_store_up 1.0" in httpx.get(f"http://127.0.0.1:{metrics_port}/", timeout=20).text
        finally:
            os.kill(frozen, signal.SIGCONT)


def test_a_process_that_was_killed_is_followed_by_one_that_shows_metrics_too(api: Api, metrics_port: int) -> None:
    old = processes(api)
    for each in old:
        os.kill(each, signal.SIGKILL)
        wait_for("the next process", lambda gone=each: len(processes(api)) == 2 and gone not in processes(api))  # type: ignore[misc]
    wait_for("metrics", lambda: _shown(metrics_port))
    assert set(old).isdisjoint(processes(api))


def _shown(at: int) -> bool:
    try:
        return "stemsvc_store_up 1.0" in httpx.get(f"http://127.0.0.1:{at}/metrics", timeout=5).text
    except httpx.HTTPError:
        return False


def test_a_taken_port_is_named_before_anything_starts(api: Api, metrics_port: int) -> None:
    with pytest.raises(PortTaken, match=str(metrics_port)):
        port.listen("127.0.0.1", metrics_port)


def begun(api: Api, client: str, more: bytes = b"") -> socket.socket:
    """A request that a proxy passes on for a client, with a body that has not come whole."""
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\nContent-Length: 999\r\n\r\n"
    return api.connect(head.encode() + more)


@pytest.mark.long
def test_clients_of_a_proxy_are_bound_one_by_one(tmp_path: Path) -> None:
    # given an api of one process, and a client that has as many requests at work as it may
    api = Api(
        tmp_path, STEMSVC_TRUSTED_PROXIES="127.0.0.1", STEMSVC_PROXY_NETWORKS="", STEMSVC_CONNECTIONS_PER_ADDRESS="2"
    )
    try:
        with ExitStack() as stack:
            held = [stack.enter_context(begun(api, CLIENT)) for _ in range(2)]

            # then no more of its requests are taken, whatever it says of itself, and those of others are
            for spoof in ("", f"{OTHER}, "):
                status, problem = answer(stack.enter_context(begun(api, f"{spoof}{CLIENT}")))
                assert (status, problem["code"]) == (429, "too_many_connections")
            in_body = begun(api, CLIENT, f"\r\nX-Forwarded-For: {OTHER}\r\n".encode())
            assert answer(stack.enter_context(in_body))[0] == 429
            assert httpx.get(f"{api.url}/v1/models", headers={"X-Forwarded-For": OTHER}).status_code == 200
            assert httpx.get(f"{api.url}/v1/models").status_code == 200  # and those of the proxy itself

            # and when one of its requests is over, it may send another one
            held[0].close()
            wait_for(
                "a place for the client",
                lambda: httpx.get(f"{api.url}/v1/models", headers={"X-Forwarded-For": CLIENT}).status_code == 200,
            )
        # whom the setting does not name is not believed, by gunicorn neither
        for own, scheme in (("127.0.0.1", "https"), ("127.0.0.2", "http")):
            with httpx.Client(transport=httpx.HTTPTransport(local_address=own), timeout=30) as peer:
                says = {"X-Forwarded-Proto": "https", "X-Forwarded-For": CLIENT}
                servers = peer.get(f"{api.url}/openapi.json", headers=says).json()["servers"]
                assert servers[0]["url"].startswith(f"{scheme}://")
    finally:
        api.process.teardown()
