"""Where a client's word leads: public addresses, whatever they are spelled like and whatever they turn into."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from stemsvc.errors import UsageError
from stemsvc.guard import Guard, guarded_client


@pytest.fixture
def server() -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a",
        "http://127.1/a",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1%25eth0]/",
        "http://[fc00::1]/",
        "http://10.1.2.3/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://198.18.0.1/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://db.internal/",
        "http://printer.local/",
        "https://metadata.google.internal/",
    ],
)
def test_private_addresses_are_refused_in_every_spelling(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Guard().check_url(url)
    assert caught.value.code == "url_refused"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "song.mp3",
        "//example.org/a",
        "file:///etc/passwd",
        "ftp://example.org/a",
        "concat:a|b",
        "data:audio/wav,x",
        "gopher://example.org/",
        "http://",
        "http:///a",
        "http://user@example.org/",
        "http://user:pass@example.org/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://exa mple.org/",
        "http://example.org/\n",
        "http://[::1",
        "http://ex\u00e4mple.org/",
        "http://example.org\\@127.0.0.1/",
        "http://-/",
        "http://" + "a" * 3000 + "/",
        "javascript:alert(1)",
        "http://example.org/<script>",
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Guard().check_url(url)
    assert caught.value.code == "bad_url"


@pytest.mark.parametrize(
    "url",
    ["https://example.org/song.mp3?a=b#c", "http://8.8.8.8:8080/", "https://[2606:4700::1]/", "HTTPS://Example.ORG"],
)
def test_public_addresses_pass(url: str) -> None:
    Guard().check_url(url)


def test_the_operator_can_allow_a_private_network(server: str) -> None:
    guard = Guard("127.0.0.0/8, 10.0.0.0/8")
    guard.check_url(server)
    guard.check_url("http://10.1.1.1/")
    with pytest.raises(UsageError):
        guard.check_url("http://192.168.1.1/")
    with guarded_client(guard, 5) as client:
        assert client.get(server).text == "ok"


def test_a_name_that_leads_to_a_private_address_is_refused_when_it_is_connected_to(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a name that was public when the job was sent
    port = httpx.URL(server).port
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))])
    guard = Guard()
    guard.check_url(f"http://rebound.example.org:{port}/")

    with guarded_client(guard, 5) as client, pytest.raises(UsageError) as caught:
        client.get(f"http://rebound.example.org:{port}/")
    assert caught.value.code == "url_refused"


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 1, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)
    with pytest.raises(UsageError):
        Guard().resolve("mixed.example.org", 80)


def test_what_was_looked_at_is_what_is_connected_to(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a name server that answers otherwise each time
    port, answers = httpx.URL(server).port, iter(["127.0.0.1", "10.9.9.9"])
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **more: Any) -> Any:
        return real(next(answers) if host == "twice.example.org" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with guarded_client(Guard("127.0.0.0/8"), 5) as client:
        assert client.get(f"http://twice.example.org:{port}/").text == "ok"
    assert next(answers) == "10.9.9.9"  # it was asked once


def test_proxies_of_the_environment_are_not_asked(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with guarded_client(Guard("127.0.0.0/8"), 5) as client:
        assert client.get(server).text == "ok"


@pytest.mark.parametrize("text", ["10.0.0.0/99", "nowhere", "10.0.0.1/8"])
def test_networks_that_are_none_are_said_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Guard(text)
