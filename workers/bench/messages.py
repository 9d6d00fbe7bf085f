"""How long the api takes to answer messages of conversations, with the rules as provider."""

from __future__ import annotations

import json
import statistics

import httpx

from workers.bench.load import burst, percentile, request
from workers.bench.table import Figure, Say

CLIENTS = 100
STEADY_SECONDS = 20.0
THINK_SECONDS = 10.0  # between two messages of one client
MESSAGE = "a trap beat at 140 in C minor, then mute the drums and master it for streaming"


def message_figures(url: str, rounds: int, say: Say) -> list[Figure]:
    """The figures of messages, each of which becomes a plan in a conversation of its own."""
    where = httpx.URL(url)
    host, port = where.host, where.port or 80
    burst(host, port, _messages(url, host, 20))  # warm up: what happens only once is not measured
    count = int(CLIENTS * STEADY_SECONDS / THINK_SECONDS)
    steady: list[float] = []
    at_once: list[float] = []
    errors = 0
    for _ in range(rounds):
        paced = [index * STEADY_SECONDS / count for index in range(count)]
        for name, found, requests, at in (
            ("messages, each client every 10 s", steady, _messages(url, host, count), paced),
            ("messages at once", at_once, _messages(url, host, CLIENTS), None),
        ):
            answers = burst(host, port, requests, at)
            errors += sum(answer.status != 201 or b'"plan"' not in answer.body for answer in answers)
            found.append(percentile(answers, 0.99) * 1e3)
            say(f"  {name}: p50 {percentile(answers, 0.5) * 1e3:.0f} ms, p99 {found[-1]:.0f} ms")
    how = f"{CLIENTS} clients, 2 processes, rules as provider; medians of {rounds}"
    return [
        Figure("message p99, 100 clients, each every 10 s", how, statistics.median(steady), " ms", 200.0, 50.0),
        Figure("message p99, 100 at the same moment", how, statistics.median(at_once), " ms"),
        Figure("message errors", "of all of these", errors, "", 0.0),
    ]


def _messages(url: str, host: str, count: int) -> list[bytes]:
    """Begin conversations; return the request that sends a message to each. Only these requests are timed."""
    body = json.dumps({"text": MESSAGE}).encode()
    with httpx.Client(base_url=url, timeout=60) as client:
        begun = [client.post("/v1/conversations", json={}).raise_for_status().json()["id"] for _ in range(count)]
    return [request("POST", f"/v1/conversations/{id}/messages", host, body, "application/json") for id in begun]
