"""The RoFormers' transformer in OpenVINO computes what torch's layers do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from stemsvc.host.processor import ONEDNN
from tests.workers.engine.reference import snr
from workers.engine.families import transformer as torch_layers
from workers.engine.families.network import no_poll
from workers.engine.families.transformer import MOST_GRAPHS, Transformer
from workers.engine.families.transformer_graph import TOKENS, TransformerGraph, group_of

SHAPES = [(1, 1), (1, 50), (7, 1), (13, 60), (37, 62), (3, 801), (5, 2 * TOKENS)]  # sequences and their length


def transformer(size: int = 24, *, rotary: int | None = None, depth: int = 1, norm: bool = False) -> Transformer:
    torch.manual_seed(0)
    made = Transformer(size, depth, 3, 16, rotary_size=rotary, norm=norm).requires_grad_(False).eval()
    for name, each in made.named_parameters():
        if name.endswith("gamma"):
            each.copy_(torch.rand(each.shape) + 0.5)
    return made


def in_openvino(layers: Transformer, threads: int = 0) -> Transformer:
    layers.ready(threads)
    return layers


def agreement(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return snr(got.numpy(), wanted.numpy())


def runs_graphs(layers: Transformer) -> bool:
    return bool(layers._graphs)


@pytest.mark.parametrize(("sequences", "length"), SHAPES)
@pytest.mark.parametrize("whole", [{}, {"depth": 2, "norm": True}])
def test_it_computes_what_torch_computes(sequences: int, length: int, whole: dict[str, Any]) -> None:
    x = torch.randn(sequences, length, 24)
    layers = transformer(**whole)
    wanted = layers.run(x, no_poll)

    made = in_openvino(layers).run(x, no_poll)

    assert runs_graphs(layers)
    assert agreement(made, wanted) > 110


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_groups_that_run_at_the_same_time_change_nothing(threads: int) -> None:
    x = torch.randn(101, 62, 24)  # the last group takes some of the one before
    layers = in_openvino(transformer(depth=2), threads)
    made = layers.run(x, no_poll)
    assert agreement(made, transformer(depth=2).run(x, no_poll)) > 110
    for _ in range(5):
        assert torch.equal(layers.run(x, no_poll), made)


def test_sequences_that_lie_apart_in_memory_are_taken_as_they_are() -> None:
    x = torch.randn(40, 11, 24).transpose(0, 1)
    layers, given = transformer(), x.clone()
    assert agreement(in_openvino(layers).run(x, no_poll), transformer().run(given, no_poll)) > 110
    assert torch.equal(x, given)


@pytest.mark.parametrize("level", [0.0, 1e-9, 1e4])
def test_silence_and_loudness_stay_what_they_are(level: float) -> None:
    x = torch.randn(4, 30, 24) * level
    wanted = transformer().run(x, no_poll)
    made = in_openvino(transformer()).run(x, no_poll)
    assert torch.isfinite(made).all()
    assert torch.allclose(made, wanted, rtol=1e-4, atol=1e-5)


def test_what_poll_raises_ends_the_pass_between_two_groups() -> None:
    class Over(Exception):
        pass

    groups = 0

    def poll() -> None:
        nonlocal groups
        groups += 1
        if groups == 3:
            raise Over

    with pytest.raises(Over):
        in_openvino(transformer()).run(torch.randn(9, TOKENS, 24), poll)
    assert groups == 3


def test_threads_share_a_transformer() -> None:
    layers = in_openvino(transformer())
    inputs = [torch.randn(6, 300, 24) for _ in range(8)]
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda x: layers.run(x, no_poll), inputs))
    for x, each in zip(inputs, made, strict=True):
        assert agreement(each, transformer().run(x, no_poll)) > 110


def test_chunks_of_many_lengths_do_not_pile_up() -> None:
    layers = in_openvino(transformer())
    for length in range(1, 3 * MOST_GRAPHS):
        layers.run(torch.randn(2, length, 24), no_poll)
    assert len(layers._graphs) <= MOST_GRAPHS


def test_the_working_memory_can_be_freed_and_taken_again() -> None:
    layers, x = in_openvino(transformer()), torch.randn(3, 20, 24)
    first = layers.run(x, no_poll)
    layers.rest()
    assert torch.equal(layers.run(x, no_poll), first)


def test_torch_runs_what_openvino_does_not_take(caplog: pytest.LogCaptureFixture) -> None:
    x, layers = torch.randn(3, 20, 24), transformer(rotary=8)
    wanted = layers.run(x, no_poll)
    assert torch.equal(in_openvino(layers).run(x, no_poll), wanted)
    assert torch.equal(layers.run(x, no_poll), wanted)
    assert [record.message for record in caplog.records] == [
        "OpenVINO can't run this transformer, so torch runs it: a part of each head is not turned"
    ]


def test_torch_runs_it_where_openvino_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    x, layers = torch.randn(3, 20, 24), in_openvino(transformer())

    def refuse(*_: Any) -> Any:
        raise RuntimeError("no memory\nand more")

    monkeypatch.setattr("workers.engine.kept.compile_model", refuse)
    assert torch.equal(layers.run(x, no_poll), transformer().run(x, no_poll))


def test_half_precision_is_torch_s() -> None:
    layers = in_openvino(transformer())
    layers.run(torch.randn(3, 20, 24), no_poll, half=True)
    assert not runs_graphs(layers)


def test_a_process_that_is_limited_to_narrow_instructions_runs_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ONEDNN, "AVX2")
    layers = in_openvino(transformer())
    layers.run(torch.randn(3, 20, 24), no_poll)
    assert not runs_graphs(layers)


@pytest.mark.parametrize("sequences", [1, 2, 59, 62, 801])
@pytest.mark.parametrize("length", [1, 60, 801, TOKENS, 5 * TOKENS])
def test_groups_are_about_as_large_as_they_should_be_and_waste_little(sequences: int, length: int) -> None:
    count = group_of(sequences, length)
    assert 1 <= count <= sequences
    assert count == 1 or count * length <= TOKENS
    assert count == sequences or 2 * (count + 1) * length > TOKENS
    assert -(-sequences // count) * count <= max(1.1 * sequences, sequences + count / 2)


def test_no_layer_of_torch_runs_where_openvino_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("torch computed it")

    layers = in_openvino(transformer())
    monkeypatch.setattr(torch_layers.Attention, "forward", never)
    layers.run(torch.randn(3, 20, 24), no_poll)


def test_a_graph_keeps_to_its_threads() -> None:
    graph = TransformerGraph(transformer(), 2, 30, 1)
    assert graph._compiled.get_property("INFERENCE_NUM_THREADS") == 1
