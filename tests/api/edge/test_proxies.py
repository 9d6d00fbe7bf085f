"""Whom the api takes for the client behind proxies: the address that limits count, and the scheme of links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from api.edge.addresses import Addresses, counted_as
from api.edge.proxies import TrustedProxies
from stemsvc.errors import FatalError, TooManyConnections
from tests.api.views.test_keys import submit

PROXIES = "10.0.0.0/8, 192.0.2.7, fd00::/8"
CLIENT, OTHER = "198.51.100.7", "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client", "proxies"),
    [
        ("10.0.0.1", CLIENT, CLIENT, 1),
        ("10.0.0.1", "", "10.0.0.1", 0),
        (OTHER, CLIENT, OTHER, 0),  # who is no proxy is not believed
        ("10.0.0.1", f"6.6.6.6, {CLIENT}", CLIENT, 1),  # the client has made up the first one
        ("10.0.0.1", f"6.6.6.6, 10.9.9.9, {CLIENT}, 192.0.2.7, 10.0.0.2", CLIENT, 3),
        ("10.0.0.1", "10.0.0.8, 10.0.0.9", "10.0.0.8", 2),  # a client inside
        ("10.0.0.1", f"{CLIENT}, unknown", "10.0.0.1", 0),  # a proxy that does not tell
        ("10.0.0.1", f"nonsense, {CLIENT}", CLIENT, 1),
        ("10.0.0.1", f"{CLIENT}:4711", CLIENT, 1),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1", 1),
        ("fd00::1%eth0", "2001:db8::1", "2001:db8::1", 1),
        ("::ffff:10.0.0.1", f"::ffff:{CLIENT}", CLIENT, 1),
        ("", CLIENT, "", 0),  # a unix socket
    ],
)
def test_the_client_is_who_called_the_first_trusted_proxy(peer: str, forwarded: str, client: str, proxies: int) -> None:
    assert TrustedProxies(PROXIES).client(peer, forwarded) == (client, proxies)


def test_nobody_is_believed_by_default_and_bad_networks_are_named() -> None:
    assert TrustedProxies("").client("127.0.0.1", CLIENT) == ("127.0.0.1", 0)
    with pytest.raises(FatalError, match="STEMSVC_TRUSTED_PROXIES"):
        TrustedProxies("10.0.0.0/8, 2")


# --- the rate limit of those without a key


def _statuses(client: Any, *peers: tuple[str, str]) -> list[int]:
    """The status of a request of each, who comes from an address with an `X-Forwarded-For`."""
    return [
        client.get(
            "/v1/jobs", environ_base={"REMOTE_ADDR": peer}, headers={"X-Forwarded-For": said} if said else {}
        ).status_code
        for peer, said in peers
    ]


def test_each_client_of_a_trusted_proxy_has_its_own_count(app_with: Callable[..., Any]) -> None:
    client = app_with(rate_limit="1 per minute", broker_url="amqp://nobody", trusted_proxies=PROXIES)
    assert _statuses(client, ("10.0.0.1", CLIENT), ("10.0.0.1", OTHER), ("10.0.0.2", CLIENT)) == [200, 200, 429]
    # what a client says of itself gives it no other count
    assert _statuses(client, ("10.0.0.1", f"6.6.6.6, {CLIENT}"), ("10.0.0.1", f"6.6.6.7,{CLIENT}")) == [429, 429]


@pytest.mark.parametrize("trusted", ["", PROXIES])
def test_who_is_no_proxy_of_ours_counts_by_its_own_address(app_with: Callable[..., Any], trusted: str) -> None:
    client = app_with(rate_limit="1 per minute", broker_url="amqp://nobody", trusted_proxies=trusted)
    assert _statuses(client, ("127.0.0.1", "1.1.1.1"), ("127.0.0.1", "1.1.1.2"), (OTHER, "127.0.0.1")) == [
        200,
        429,
        200,
    ]


def test_a_client_with_a_network_of_ipv6_has_one_count(app_with: Callable[..., Any]) -> None:
    client = app_with(rate_limit="1 per minute", broker_url="amqp://nobody")
    peers = [(peer, "") for peer in ("2001:db8:1:2::a", "2001:db8:1:2:ffff::b", "2001:db8:1:3::a")]
    assert _statuses(client, *peers) == [200, 429, 200]
    assert counted_as("nonsense") == "nonsense"


# --- how the client called


@pytest.mark.parametrize(
    ("peer", "scheme", "expected"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "HTTPS", "https"),
        ("10.0.0.1", "http", "http"),
        ("10.0.0.1", "javascript", "http"),
        ("10.0.0.1", "", "http"),
        ("10.0.0.1", "http, https", "https"),  # the client has made up the first one
        (OTHER, "https", "http"),
    ],
)
def test_links_have_the_scheme_that_a_trusted_proxy_told(
    app_with: Callable[..., Any], peer: str, scheme: str, expected: str
) -> None:
    client = app_with(trusted_proxies=PROXIES, allowed_hosts="stems.example.org")
    headers = {
        "Host": "stems.example.org", "X-Forwarded-For": CLIENT, "X-Forwarded-Proto": scheme,
        "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil", "X-Forwarded-Port": "666",
    }  # fmt: skip
    answer = client.get("/openapi.json", environ_base={"REMOTE_ADDR": peer}, headers=headers)
    assert answer.json["servers"][0]["url"].rstrip("/") == f"{expected}://stems.example.org"
    assert "evil" not in answer.text


def test_a_proxy_changes_nothing_of_whose_name_leads_here(app_with: Callable[..., Any]) -> None:
    """A page whose name was led to the loopback can send any header to what it takes for its own server."""
    client = app_with(trusted_proxies="127.0.0.0/8")
    headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "X-Forwarded-For": "127.0.0.1"}
    assert client.get("/v1/jobs", headers=headers).json["code"] == "host_refused"
    assert submit(client, {**headers, "Host": "localhost"}).status_code == 201


# --- connections


def test_the_requests_of_a_proxys_client_count_for_the_client() -> None:
    addresses = Addresses(2, "127.0.0.0/8", "192.0.2.7")
    proxy = ("192.0.2.7", 1)
    assert {addresses.enter(proxy) for _ in range(9)} == {None}  # though no network of proxies has it
    first = addresses.enter_behind(proxy, CLIENT)
    addresses.enter_behind(proxy, f"6.6.6.6, {CLIENT}")
    with pytest.raises(TooManyConnections):
        addresses.enter_behind(proxy, CLIENT)
    addresses.enter_behind(proxy, OTHER)
    addresses.leave(first)
    addresses.enter_behind(proxy, CLIENT)
    assert addresses.enter_behind((OTHER, 1), CLIENT) is None  # its connection counts already
    assert {addresses.enter_behind(proxy, "127.0.0.1") for _ in range(9)} == {None}  # a proxy that tells of nobody
