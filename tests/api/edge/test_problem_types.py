"""Answers to requests that never get as far as the app: they are like the app's."""

from __future__ import annotations

import json

from api.edge.connections import raw_problem
from api.edge.headers import VARY
from api.edge.problem_types import ProblemTypes
from stemsvc.errors import ApiBusy, RequestTimeout


def parsed(raw: bytes) -> tuple[dict[str, str], dict[str, str]]:
    head, _, body = raw.decode().partition("\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.split("\r\n")[1:]), json.loads(body)


def test_their_type_leads_to_the_code_s_chapter_too() -> None:
    _, body = parsed(raw_problem(RequestTimeout("too slow"), ProblemTypes()))
    assert body["type"] == "/docs/errors#request_timeout"
    _, body = parsed(raw_problem(RequestTimeout("too slow"), ProblemTypes(public_url="https://stems.example")))
    assert body["type"] == "https://stems.example/docs/errors#request_timeout"
    _, body = parsed(raw_problem(RequestTimeout("too slow"), ProblemTypes("https://docs.example", "https://x.example")))
    assert body["type"] == "https://docs.example/errors/#request_timeout"


def test_they_vary_by_the_site_and_say_when_to_come_back() -> None:
    headers, _ = parsed(raw_problem(ApiBusy("full", retry_after=9.2), ProblemTypes(), VARY))
    assert (headers["Vary"], headers["Retry-After"]) == ("Origin", "10")
    headers, _ = parsed(raw_problem(RequestTimeout("too slow"), ProblemTypes()))
    assert not {"Vary", "Retry-After"} & set(headers)
