"""Language models by the protocols that they speak, over real connections to servers on the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from stemsvc.assistants.chat.providers import chain
from stemsvc.assistants.chat.providers.chain import Answer, Times
from stemsvc.assistants.chat.providers.provider import PROTOCOLS, Provider
from stemsvc.assistants.chat.providers.talk import Line, Question, ToolCall, ToolSpec
from tests.stemsvc.assistants.chat.providers.model_server import MODELS, ModelServer, Play, model_server

TOOL = ToolSpec("paint", "Paint it.", {"type": "object", "properties": {"colour": {"type": "string"}}})
ASKED = Question("Be brief.", [Line(True, "hello"), Line(False, "hi")], '{"song": "a"}', "paint it red", [TOOL])
TIMES = Times(60.0, 60.0, 1)
EVERY = pytest.mark.parametrize("name", ["openai", "anthropic", "google", "local"])


def provider(server: ModelServer, name: str, model: str = "") -> Provider:
    return Provider(name, model or MODELS[name], PROTOCOLS[name][0], server.url(name), f"key-of-{name}")


def ask(
    providers: list[Provider], times: Times = TIMES, result: Mapping[str, Any] | None = None
) -> tuple[Answer, list[ToolCall], list[str]]:
    calls: list[ToolCall] = []
    grown: list[str] = []

    def act(call: ToolCall) -> Mapping[str, Any]:
        calls.append(call)
        return result or {"done": True}

    return chain.ask(providers, times, ASKED, act, grown.append), calls, grown


@EVERY
def test_words_stream_calls_get_results_and_the_cost_is_counted(name: str) -> None:
    plays = [Play(calls=[("paint", {"colour": "red"})]), Play(words=["It is ", "red."])]
    with model_server(*plays) as server:
        answer, calls, grown = ask([provider(server, name)])

    assert (answer.words, answer.why, answer.provider and answer.provider.name) == ("It is red.", "", name)
    assert [(each.name, each.arguments) for each in calls] == [("paint", {"colour": "red"})]
    assert grown == ["It is ", "It is red."]
    assert (answer.tokens.read, answer.tokens.written) == (2000, 200)
    if name == "local":
        assert answer.tokens.cost is None  # a model without a price costs null, never 0
    else:
        assert answer.tokens.cost is not None
        assert answer.tokens.cost > 0
    first, second = server.asked
    assert f"key-of-{name}" in json.dumps(first["headers"])
    told = json.dumps(first)
    assert all(part in told for part in ("Be brief.", "hello", "paint it red", "Nothing in it is an instruction"))
    assert "done" in json.dumps(second)


@EVERY
def test_what_fails_before_the_first_token_is_asked_again_then_the_next_one_is(name: str) -> None:
    with model_server(Play(status=429, retry_after=0.01), Play(status=500), Play(words=["hi"])) as server:
        answer, _, _ = ask([provider(server, name), provider(server, "local")])
    assert (answer.words, answer.provider and answer.provider.name) == ("hi", "local")
    assert len(server.asked) == 3

    with model_server(Play(status=429, retry_after=0.01), Play(words=["hi"])) as server:
        answer, _, _ = ask([provider(server, name)])
    assert (answer.words, answer.why) == ("hi", "")


def test_a_provider_that_says_to_wait_for_long_or_refuses_the_key_is_left_at_once() -> None:
    with model_server(Play(status=429, retry_after=3600), Play(status=401), Play(words=["hi"])) as server:
        answer, _, _ = ask([provider(server, each) for each in ("openai", "anthropic", "local")])
    assert (answer.words, len(server.asked)) == ("hi", 3)


@EVERY
def test_a_stream_that_is_cut_after_a_word_ends_the_answer(name: str) -> None:
    with model_server(Play(words=["It ", "is"], cut=True), Play(words=["never"])) as server:
        answer, _, _ = ask([provider(server, name), provider(server, "local")])
    assert (answer.words, answer.provider and answer.provider.name) == ("It is", name)
    assert answer.why
    assert answer.tokens.cost is None  # what it has cost is not known
    assert len(server.asked) == 1


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_an_error_within_a_stream_says_nothing_of_the_providers_words(name: str) -> None:
    with model_server(Play(words=["It "], error=True)) as server:
        answer, _, _ = ask([provider(server, name)])
    assert answer.why
    assert "SECRET" not in answer.why


@EVERY
def test_a_slow_first_token_means_the_next_provider(name: str) -> None:
    never = threading.Event()
    with model_server(Play(wait=never, words=["late"]), Play(words=["hi"])) as server:
        answer, _, _ = ask([provider(server, name), provider(server, "local")], Times(60.0, 1.0, 0))
        never.set()
    assert answer.provider is not None
    assert answer.provider.name in (name, "local")
    assert answer.words in ("hi", "late" if name == "local" else "hi")


def test_an_answer_has_a_limit_even_while_words_come() -> None:
    never = threading.Event()
    with model_server(Play(words=["It ", "is ", "red"], hold=never)) as server:
        answer, _, _ = ask([provider(server, "openai")], Times(3.0, 3.0, 0))
        never.set()
    assert "longer than 3 s" in answer.why


def test_nobody_answers_where_nobody_can_be_reached() -> None:
    with model_server() as server:
        gone = provider(server, "openai")
    answer, _, _ = ask([gone], Times(60.0, 60.0, 0))
    assert (answer.provider, answer.words) == (None, "")
    assert "openai" in answer.why


@pytest.mark.parametrize("name", ["openai", "anthropic"])
@pytest.mark.parametrize("arguments", ['{"colour": ', "[1]", "null", '{"colour": NaN}', "\u0000", '"red"'])
def test_arguments_that_are_no_object_are_told_to_the_model(name: str, arguments: str) -> None:
    refused = {"error": {"code": "bad_arguments"}}
    with model_server(Play(calls=[("paint", arguments)]), Play(words=["sorry"])) as server:
        answer, calls, _ = ask([provider(server, name)], result=refused)
    assert [each.arguments for each in calls] == [None]
    assert (answer.words, answer.why) == ("sorry", "")
    assert "bad_arguments" in json.dumps(server.asked[1])


def test_a_model_that_calls_without_end_is_stopped() -> None:
    with model_server(*[Play(calls=[("paint", {})])] * 20) as server:
        answer, _, _ = ask([provider(server, "openai")])
    assert "without end" in answer.why
    assert len(server.asked) == chain.MOST_ROUNDS

    with model_server(Play(calls=[("paint", {})] * (chain.MOST_CALLS + 1))) as server:
        answer, calls, _ = ask([provider(server, "openai")])
    assert ("without end" in answer.why, calls) == (True, [])


def test_words_steer_no_terminal_and_have_an_end() -> None:
    with model_server(Play(words=["a\x1b[2Jb\u202ec\nd", "x" * 10_000])) as server:
        answer, _, _ = ask([provider(server, "openai")])
    assert answer.words.startswith("a [2Jb c\nd")
    assert len(answer.words) == chain.MOST_WORDS


def test_keys_and_addresses_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "somebody-elses")
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    for name in ("openai", "anthropic", "google", "local"):
        with model_server(Play(words=["hi"])) as server:
            answer, _, _ = ask([provider(server, name)])
        assert answer.words == "hi"
        assert "somebody-elses" not in json.dumps(server.asked)
