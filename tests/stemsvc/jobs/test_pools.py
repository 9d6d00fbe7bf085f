from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from stemsvc.errors import UsageError
from stemsvc.jobs.pools import Pool, find_pool, parse_pools, queue_of, queues_of, single
from stemsvc.jobs.record import Priority
from stemsvc.kinds.separate.options import PRECISIONS
from stemsvc.queue.celery import HighFirst

FILE = """
pools:
  - name: big-gpu
    models: [a, b]
    device: cuda:1
    precision: mixed
    concurrency: 2
    memory: 16G
    time_limit: 3600
    priority: 10
  - name: cpu
    models: ["*"]
    device: cpu
"""


def test_pools_are_read_and_stars_stand_for_all_models() -> None:
    assert parse_pools("a:cpu, b:cuda,a:cpu", ["a", "b"]) == [single("a", "cpu"), single("b", "cuda")]
    assert parse_pools("*:cpu:2G", ["a", "b"]) == [single("a", "cpu", 2048), single("b", "cpu", 2048)]
    assert parse_pools("a:cuda:1:8G", ["a"]) == [single("a", "cuda:1", 8192)]


@pytest.mark.parametrize(
    "text", ["a", "a:abacus", "c:cpu", ":cpu", "a:cpu:lots", "a:cpu:8G:9G", "a:cuda:x", "a:cpu:1", "a:cpu:"]
)
def test_pools_that_can_not_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_pools(text, ["a", "b"])
    assert caught.value.code == "bad_pools"


def test_a_file_says_all_there_is_to_say_of_pools(tmp_path: Path) -> None:
    path = tmp_path / "pools.yaml"
    path.write_text(FILE)

    first, second = parse_pools(str(path), ["a", "b"])

    assert first.model_dump() == {
        "kinds": ("*",),
        "name": "big-gpu",
        "models": ("a", "b"),
        "device": "cuda:1",
        "precision": "mixed",
        "concurrency": 2,
        "memory_mb": 16384,
        "time_limit": 3600.0,
        "priority": 10,
    }
    assert (second.models, second.kind) == (("a", "b"), "cpu")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "a list under the one key"),
        ("pools: []", "a list under the one key"),
        ("pools: [", "flow"),
        ("other: 1", "a list under the one key"),
        ("pools: [{name: x, models: [a], device: tpu}]", "pool 1: device"),
        ("pools: [{name: x, models: [a], device: cpu, memory: much}]", "pool 1: memory"),
        ("pools: [{name: x, models: [a], device: cpu, colour: red}]", "pool 1: colour"),
        ("pools: [{name: x, models: [z], device: cpu}]", "no model 'z'"),
        ("pools: [{name: x, models: [], device: cpu}]", "pool 1: models"),
        ("pools: [{name: fetch, models: [a], device: cpu}]", "another queue"),
        ("pools: [{name: x.high, models: [a], device: cpu}]", "another queue"),
        ("pools: [{name: x, models: [a], device: cpu}, {name: x, models: [a], device: mps}]", "pool 2: another pool"),
        ("pools: [nothing]", "pool 1"),
    ],
)
def test_a_file_that_can_not_be_is_refused_with_the_place(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "pools.yml"
    path.write_text(content)

    with pytest.raises(UsageError) as caught:
        parse_pools(str(path), ["a"])

    assert caught.value.code == "bad_pools"
    assert said in caught.value.detail


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml"):
        parse_pools("/nowhere.yaml", ["a"])


def test_a_pool_is_found_by_name_or_by_what_its_name_says() -> None:
    named = Pool(name="x", models=("a",), device="mps")
    assert find_pool([named], "x") == named
    assert find_pool([], "separate.own/model.v2.cuda:0") == single("own/model.v2", "cuda:0")
    assert find_pool([], "fetch") is None
    assert find_pool([], "separate.demo.tpu") is None


def test_each_priority_has_a_queue_and_high_ones_are_looked_at_first() -> None:
    queues = queues_of(["a", "b"])
    assert queues == ["a.high", "a", "a.low", "b.high", "b", "b.low"]
    assert queue_of("a") == "a"

    order = HighFirst()
    order.update({"b.low", "a", "b", "a.high", "b.high", "a.low"})
    order.rotate("a")
    looked_at = order.consume(6)

    assert {*looked_at[:2]} == {"a.high", "b.high"}
    assert looked_at[2:4] == ["b", "a"]  # the one that was served last comes last of its class
    assert {*looked_at[4:]} == {"a.low", "b.low"}
    assert [priority.word for priority in Priority] == ["high", "normal", "low"]


def test_the_precisions_are_the_engine_s() -> None:
    for precision in PRECISIONS:
        assert Pool(name="a", device="cpu", precision=precision).precision == precision
    with pytest.raises(ValidationError):
        Pool(name="a", device="cpu", precision="other")


def test_kinds_without_models_have_pools_of_their_own() -> None:
    pools = parse_pools("*:cpu,demo:cuda,reverse:cuda:8G", ["demo"], ["reverse"])
    assert [(pool.name, pool.kinds, pool.models, pool.memory_mb) for pool in pools] == [
        ("separate.demo.cpu", ("separate",), ("demo",), None),
        ("reverse.cpu", ("reverse",), (), None),
        ("separate.demo.cuda", ("separate",), ("demo",), None),
        ("reverse.cuda", ("reverse",), (), 8192),
    ]
    assert find_pool([], "reverse.cuda:1", ["reverse"]) == Pool(
        name="reverse.cuda:1", kinds=("reverse",), models=(), device="cuda:1"
    )
    assert find_pool([], "reverse.cpu") is None


def test_a_pool_says_what_kinds_and_models_it_serves(tmp_path: Path) -> None:
    (tmp_path / "pools.yaml").write_text(
        "pools: [{name: any, device: cpu}, {name: some, device: cpu, kinds: [analyze, separate], models: [demo]}]"
    )
    every, some = parse_pools(str(tmp_path / "pools.yaml"), ["demo", "htdemucs"])
    assert every.serves("reverse", None)
    assert every.serves("separate", "htdemucs")
    assert some.serves("analyze", None)
    assert some.serves("separate", "demo")
    assert some.serves("separate", "demo+htdemucs")  # a set is its first model's
    assert not some.serves("separate", "htdemucs+demo")
    assert not some.serves("reverse", None)
    assert not some.serves("separate", "htdemucs")
