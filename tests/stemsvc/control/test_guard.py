"""Where a client's word leads: public addresses, whatever they are spelled like and whatever they turn into."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from stemsvc.control.guard import Guard
from stemsvc.control.guarded_client import guarded_client
from stemsvc.control.networks import SPECIAL
from stemsvc.errors import UrlRefused, UsageError

# what a program that decodes Punycode and folds wide letters reads as `localhost`
DISGUISED = "xn--" + "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54".encode("punycode").decode()


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
        "http://127.0.0.1./",
        "http://127.0.0.1:/",
        "http://127.0.0.1.:8080/",
        "http://0x7f.1.:80/",
        "http://0x7F.0.0.0x1/",
        "http://127.000.000.001/",
        "http://017700000001/",
        "http://010.0.0.1/",  # octal: 8.0.0.1; decimal: 10.0.0.1
        "http://0192.168.1.1/",
        "http://[::ffff:7f00:1]:443/",
        "http://[0:0:0:0:0:FFFF:127.0.0.1]/",
        "http://[::127.0.0.1]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b:1::808:808]/",
        "http://[2001:0:808:808::]/",
        "http://[2002:808:808::1]/",
        "http://[2606:4700::5efe:10.0.0.1]/",
        "http://[2606:4700::200:5efe:a00:1]/",
        "http://[::1%25lo]/",
        "http://localhost/",
        "http://localhost:8080/",
        "http://localhost../",
        "http://LOCALHOST./",
        "http://a.localhost./",
        "http://redis:6379/",
        "http://kubernetes.default.svc/",
        "http://kubernetes.default.svc.cluster.local./",
        "http://router.lan/",
        "http://nas.home.arpa/",
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
        "http://127.0.0.1%2f.example.org/",
        "http://8.8.8.8%2f.example.org/",
        "http://%31%32%37.0.0.1/",
        "http://127.0.0.1../",
        "http://127.0.0.256/",
        "http://383.0.0.1/",
        "http://127.0.0.1.5/",
        "http://0x.0x.0x.0x/",
        "http://4294967296/",
        "http://example.1/",
        "http://[::1::]/",
        "http://[v1.a]/",
        "http://[127.0.0.1]/",
        "http://[2606:4700::1%25eth0]/",
        "http://xn--localhost-.example.org/",  # Punycode of plain `localhost`
        f"http://{DISGUISED}/",
        f"http://{DISGUISED}.example.org/",
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Guard().check_url(url)
    assert caught.value.code == "bad_url"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/song.mp3?a=b#c",
        "https://example.org./song.mp3",
        "http://8.8.8.8:8080/",
        "http://8.8.8.8./",
        "https://[2606:4700::1]/",
        "https://[2606:4700::5efe:8.8.8.8]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[64:ff9b::808:808]/",
        "https://xn--bcher-kva.example.org/",
        "https://xn--ls8h.la/",
        "https://corp.example.org/",
        "HTTPS://Example.ORG",
    ],
)
def test_public_addresses_pass(url: str) -> None:
    Guard().check_url(url)


def _each(words: str) -> list[str]:
    return words.split()


# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry, entry by entry, and what
# else is special: the multicast registry, blocks that are no longer in use, and the addresses of clouds' own services
SPECIAL_NETWORKS = _each("""
    0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
    192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
    192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    240.0.0.0/4 255.255.255.255/32 224.0.0.0/4
    ::1/128 ::/128 ::ffff:10.0.0.0/104 64:ff9b::10.0.0.0/104 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23
    2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28
    2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10
    fec0::/10 ff00::/8 ::/96 ::ffff:0:0:0/96 4000::/3 8000::/1
    168.63.129.16/32 169.254.169.254/32 169.254.170.2/32 100.100.100.200/32 192.0.0.192/32 161.26.0.0/16 166.8.0.0/14
    fd00:ec2::254/128 fd20:ce::254/128 fd00:42::42/128
""")


@pytest.mark.parametrize("network", SPECIAL_NETWORKS)
def test_no_address_of_a_special_network_is_public(network: str) -> None:
    found = ipaddress.ip_network(network)
    for address in (found[0], found[found.num_addresses // 2], found[-1]):
        with pytest.raises(UrlRefused):
            Guard().check_address(str(address))
        host = f"[{address}]" if address.version == 6 else str(address)
        with pytest.raises(UrlRefused):
            Guard().check_url(f"http://{host}/")
        if address.version == 4:  # nor is any other spelling of it
            for carrier in (f"::ffff:{address}", f"64:ff9b::{address}", f"2002:{_hex(int(address))}::1"):
                with pytest.raises(UrlRefused):
                    Guard().check_address(carrier)


def _hex(number: int) -> str:
    return f"{number >> 16:x}:{number & 0xFFFF:x}"


@pytest.mark.parametrize(
    "address",
    _each("""
        1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 128.0.0.0 168.63.129.15 168.63.129.17 169.253.255.255
        172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 198.17.255.255 198.20.0.0
        223.255.255.255 166.7.255.255 166.12.0.0
        2001:200:: 2001:db7:: 2003:: 2600:: 2a00:1450:4001::1 3ffe::1
    """),
)
def test_the_neighbours_of_special_networks_are_public(address: str) -> None:
    Guard().check_address(address)


def test_every_entry_of_the_list_is_needed() -> None:
    fourth = [ipaddress.IPv4Network(each) for each in SPECIAL if ":" not in each]
    sixth = [ipaddress.IPv6Network(each) for each in SPECIAL if ":" in each]

    assert len(list(ipaddress.collapse_addresses(fourth))) == len(fourth) - 1  # 224/4 and 240/4 are neighbours
    assert len(list(ipaddress.collapse_addresses(sixth))) == len(sixth)


def test_a_network_is_allowed_in_every_spelling_of_its_addresses() -> None:
    guard = Guard("10.0.0.0/8, fd00::/8, 64:ff9b:1::/48, 168.63.129.16/32")
    for address in ("10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "fd00::1", "64:ff9b:1::1", "168.63.129.16"):
        guard.check_address(address)
    for address in ("::ffff:192.168.0.1", "64:ff9b::192.168.0.1", "fc00::1"):
        with pytest.raises(UrlRefused):
            guard.check_address(address)


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
