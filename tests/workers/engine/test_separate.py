"""The separator itself: streaming, batches, members, progress, and what ends it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

from stemsvc.errors import FatalError, StemsvcError, TransientError
from stemsvc.host import processor
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import DEMO_WEIGHTS, load_catalog
from tests.workers.engine.reference import FOUR, RATE, Sound, assert_faithful, bag, htdemucs, music, snr, upstream
from workers.engine.mixture import ArrayMixture, loudness
from workers.engine.networks import Pending, Ready, TorchNetwork
from workers.engine.overlap_add import triangle
from workers.engine.precision import Precision, resolve
from workers.engine.segments import plan
from workers.engine.separate import Separator
from workers.engine.weights import load_model


class Counting:
    """A network that notes the batches it gets; `limit` is the largest that fits its memory."""

    device = torch.device("cpu")

    precision = Precision.FP32

    def __init__(self, inner: Any, depth: int = 1, limit: int = 99) -> None:
        self._inner, self.depth, self._limit = inner, depth, limit
        self.rested = 0
        self.batches: list[int] = []
        self.stems: list[list[int]] = []

    def rest(self) -> None:
        self.rested += 1

    def start(self, batch: torch.Tensor, stems: list[int]) -> Pending:
        self.batches.append(len(batch))
        self.stems.append(stems)
        if len(batch) > self._limit:
            raise torch.OutOfMemoryError("no room for this batch")
        return self._inner.start(batch, stems)  # type: ignore[no-any-return]


def in_torch(model: Any, **how: Any) -> tuple[Separator, list[Counting]]:
    """A separator whose networks run in torch and are watched."""
    separator = Separator(model)
    networks = [Counting(TorchNetwork(network, "cpu", Precision.FP32), **how) for network in model.models]
    separator._networks.update(enumerate(networks))
    return separator, networks


def unstreamed(separator: Separator, mixture: Sound, options: SeparationOptions) -> Sound:
    """The same segments added into a buffer of the whole track, [stems, channels, frames]."""
    mean, scale = (np.float32(value) for value in loudness(ArrayMixture(mixture)))
    (run,) = plan(list(separator._bag.models), [0], len(mixture), options)
    total, weights = torch.zeros(4, 2, len(mixture)), torch.zeros(len(mixture))
    normal = torch.from_numpy(((mixture - mean) / scale).T.copy())
    for segment in run.segments():
        padded = torch.zeros(2, segment.padded)
        first, last = max(segment.begin, 0), min(segment.begin + segment.padded, len(mixture))
        padded[:, first - segment.begin : last - segment.begin] = normal[:, first:last]
        stems = separator.network(0).start(padded[None], [0, 1, 2, 3]).result()[0]
        weight = triangle(run.window)[: segment.length]
        at = slice(segment.start, segment.start + segment.length)
        total[..., at] += weight * stems[..., segment.trim : segment.trim + segment.length]
        weights[at] += weight
    return (total / weights * torch.tensor(scale) + torch.tensor(mean)).numpy()


@pytest.mark.parametrize("overlap", [0.25, *(pytest.param(each, marks=pytest.mark.long) for each in (0.0, 0.6))])
def test_streaming_is_bitwise_the_unstreamed_form(overlap: float) -> None:
    separator, _ = in_torch(bag(htdemucs()))
    mixture, options = music(7.0), SeparationOptions(overlap=overlap)

    streamed = separator.separate_array(mixture, options=options)
    whole = unstreamed(separator, mixture, options)
    for index, stem in enumerate(FOUR):
        np.testing.assert_array_equal(streamed[stem], whole[index].T)


def test_pieces_leave_as_soon_as_no_later_segment_touches_them() -> None:
    separator, (network,) = in_torch(bag(htdemucs()))
    pieces = separator.separate(ArrayMixture(music(9.0)), FOUR)

    # the first stride is out after the first segment, the second after the second
    assert [(len(next(pieces)["bass"]), len(network.batches)) for _ in range(3)] == [
        (int(0.75 * 2 * RATE), 1 + done) for done in range(3)
    ]
    pieces.close()


@pytest.mark.parametrize("size", [3, *(pytest.param(each, marks=pytest.mark.long) for each in (2, 16))])
def test_batches_change_nothing(size: int) -> None:
    separator, (network,) = in_torch(bag(htdemucs()))
    mixture = music(10.0)
    one_by_one = separator.separate_array(mixture)
    network.batches.clear()
    separator._batch._sizes[0] = size

    assert_faithful(separator.separate_array(mixture), one_by_one)
    # 10 s in strides of 1.5 s are seven segments; the tail has the others' length and goes with them
    assert network.batches == [size] * (7 // size) + [7 % size] * (7 % size > 0)


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    separator, (network,) = in_torch(bag(htdemucs()), limit=2)
    mixture = music(15.0)
    one_by_one = separator.separate_array(mixture)
    network.batches.clear()
    separator._batch._sizes[0] = 8

    assert_faithful(separator.separate_array(mixture), one_by_one)
    # ten segments: eight do not fit, nor do four, and from then on two are sent
    assert network.batches == [8, 4, 2, 2, 4, 2, 2, 2] or network.batches == [8, 4, 2, 2, 2, 2, 2]
    assert separator._batch.size(0) == 2


def test_memory_that_runs_out_later_halves_the_batch_too() -> None:
    class Late(Counting):
        def start(self, batch: torch.Tensor, stems: list[int]) -> Pending:
            pending = self._inner.start(batch, stems)

            class Failing:
                def result(self) -> torch.Tensor:
                    if len(batch) > 1:
                        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
                    return pending.result()  # type: ignore[no-any-return]

            return Failing()

    separator, _ = in_torch(bag(htdemucs()))
    wanted = separator.separate_array(music(4.0))
    separator._networks[0] = Late(TorchNetwork(separator._bag.models[0], "cpu", Precision.FP32))
    separator._batch._sizes[0] = 3

    assert_faithful(separator.separate_array(music(4.0)), wanted)


def test_a_segment_that_does_not_fit_is_a_transient_error() -> None:
    separator, _ = in_torch(bag(htdemucs()), limit=0)

    with pytest.raises(TransientError) as caught:
        separator.separate_array(music(1.0))
    assert caught.value.code == "device_out_of_memory"


def test_only_members_with_weight_for_the_stems_run_bit_for_bit() -> None:
    # given a bag as htdemucs_ft is one: each network for one stem
    eye = [[1.0 if row == column else 0.0 for column in range(4)] for row in range(4)]
    model = bag(*(htdemucs(seed=seed) for seed in range(4)), weights=eye)
    separator, networks = in_torch(model)
    mixture = music(3.0)
    every = separator.separate_array(mixture)
    for network in networks:
        network.batches.clear()

    one = separator.separate_array(mixture, ("other",))

    assert list(one) == ["other"]
    np.testing.assert_array_equal(one["other"], every["other"])
    assert [len(network.batches) for network in networks] == [0, 0, 2, 0]
    assert networks[2].stems[-1] == [2]
    assert_faithful(one, upstream(model, mixture))


def test_networks_that_nobody_asked_for_are_not_loaded() -> None:
    model = bag(htdemucs(), htdemucs(seed=1), weights=[[1, 1, 1, 0], [0, 0, 0, 1]])
    separator = Separator(model)
    separator.separate_array(music(1.0), ("vocals",))

    assert list(separator._networks) == [1]


def test_leaving_a_member_out_does_not_move_the_shifts_of_the_others() -> None:
    eye = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]]
    separator, _ = in_torch(bag(htdemucs(), htdemucs(seed=1), weights=eye))
    mixture, options = music(3.0), SeparationOptions(shifts=2, seed=5)

    every = separator.separate_array(mixture, options=options)
    one = separator.separate_array(mixture, ("vocals",), options)
    np.testing.assert_array_equal(one["vocals"], every["vocals"])
    other = separator.separate_array(mixture, ("vocals",), SeparationOptions(shifts=2, seed=6))
    assert not np.array_equal(other["vocals"], one["vocals"])


def test_progress_counts_every_segment_of_every_pass() -> None:
    separator, _ = in_torch(bag(htdemucs(), htdemucs(seed=1)))
    seen: list[tuple[int, int]] = []
    mixture, options = ArrayMixture(music(3.0)), SeparationOptions(shifts=2)
    list(separator.separate(mixture, FOUR, options, lambda done, total: seen.append((done, total))))

    assert seen == [(done, len(seen)) for done in range(1, len(seen) + 1)]
    assert len(seen) == separator.count_segments(3 * RATE, FOUR, options) == 2 * 2 * 3


class Stop(Exception):
    pass


def test_what_the_callback_raises_ends_the_separation_within_a_segment() -> None:
    separator, (network,) = in_torch(bag(htdemucs()))

    def stop(done: int, total: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        list(separator.separate(ArrayMixture(music(30.0)), FOUR, on_segment=stop))
    assert network.batches == [1]
    assert network.rested == 1


def test_nothing_runs_on_the_device_after_the_end() -> None:
    busy, most = 0, 0
    lock = threading.Lock()

    class Slow:
        def __init__(self) -> None:
            self._thread = threading.Thread(target=self._run)
            self._thread.start()

        def _run(self) -> None:
            nonlocal busy, most
            with lock:
                busy += 1
                most = max(most, busy)
            threading.Event().wait(0.05)
            with lock:
                busy -= 1

        def result(self) -> torch.Tensor:
            self._thread.join()
            return torch.zeros(1, 4, 2, 2 * RATE)

    class Network(Counting):
        def start(self, batch: torch.Tensor, stems: list[int]) -> Pending:
            return Slow()

    separator = Separator(bag(htdemucs()))
    separator._networks[0] = Network(None, depth=3)
    pieces = separator.separate(ArrayMixture(music(30.0)), FOUR)
    next(pieces)
    pieces.close()

    assert most >= 2
    assert busy == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_output_that_is_no_number_never_leaves_the_engine(value: float) -> None:
    class Broken(Counting):
        def start(self, batch: torch.Tensor, stems: list[int]) -> Pending:
            stems_out = torch.zeros(len(batch), len(stems), 2, batch.shape[-1])
            stems_out[0, 1, 1, 1234] = value
            return Ready(stems_out)

    separator = Separator(bag(htdemucs()))
    separator._networks[0] = Broken(None)

    with pytest.raises(FatalError) as caught:
        separator.separate_array(music(3.0))
    assert caught.value.code == "separation_not_finite"


def test_weights_that_are_no_numbers_never_leave_the_engine() -> None:
    network = htdemucs()
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))

    with pytest.raises(FatalError, match="not numbers"):
        Separator(bag(network)).separate_array(music(1.0))


@pytest.mark.parametrize(
    "options",
    [
        SeparationOptions(overlap=0.95),
        SeparationOptions(overlap=-0.1),
        SeparationOptions(overlap=float("nan")),
        SeparationOptions(shifts=-1),
        SeparationOptions(shifts=21),
        SeparationOptions(seed=-1),
        SeparationOptions(segment=2.5),
        SeparationOptions(segment=0.5),
        SeparationOptions(precision="int1"),
    ],
)
def test_options_that_can_not_be_are_refused(options: SeparationOptions) -> None:
    with pytest.raises(StemsvcError) as caught:
        Separator(bag(htdemucs())).separate_array(music(1.0), options=options)
    assert caught.value.code == "bad_options"


def test_a_single_sample_comes_back_finite() -> None:
    stems = Separator(bag(htdemucs())).separate_array(np.full((1, 2), 0.5, np.float32))

    assert all(len(stem) == 1 and np.isfinite(stem).all() for stem in stems.values())


def test_nothing_gives_nothing() -> None:
    separator, (network,) = in_torch(bag(htdemucs()))

    assert {stem: len(sound) for stem, sound in separator.separate_array(music(0.0)).items()} == dict.fromkeys(FOUR, 0)
    assert network.batches == []


def test_a_stem_that_no_network_has_weight_for_is_an_error() -> None:
    separator, _ = in_torch(bag(htdemucs(), weights=[[1.0, 1.0, 1.0, 0.0]]))

    assert list(separator.separate_array(music(0.5), ("bass",))) == ["bass"]
    with pytest.raises(FatalError) as caught:
        separator.separate_array(music(0.5), ("vocals",))
    assert caught.value.code == "weights_mismatch"


def test_loudness_is_that_of_the_whole_track() -> None:
    sound = music(5.0) + np.float32(3.0)
    mono = sound.astype(np.float64).mean(axis=1)

    mean, scale = loudness(ArrayMixture(sound))
    assert mean == pytest.approx(mono.mean(), rel=1e-6)
    assert scale == pytest.approx(mono.std(ddof=1), rel=1e-5)


@pytest.fixture
def demo() -> Any:
    return load_model(load_catalog().get("demo"), [DEMO_WEIGHTS])


@pytest.mark.parametrize("quiet", [pytest.param(1.0, marks=pytest.mark.long), 1e-3])
@pytest.mark.long
def test_mixed_precision_keeps_60_db_on_quiet_stems_too(demo: Any, quiet: float) -> None:
    # given the arithmetic that CUDA gets, here on a CPU, and a song in which every stem but the drums is 40 dB down
    from stemsvc.demo.render import render_song

    true = render_song(9501, 6.0)
    mixture = np.sum([sound * (1 if stem == "drums" else 0.01) for stem, sound in true.items()], axis=0).T
    mixture = (quiet * mixture).astype(np.float32)
    separator, (network,) = in_torch(demo)
    wanted = separator.separate_array(mixture)
    network._inner._core(3 * RATE).fp16_transformer = True

    mixed = separator.separate_array(mixture)
    for stem, sound in wanted.items():
        assert 60 <= snr(mixed[stem], sound) < 110, (stem, snr(mixed[stem], sound))


@pytest.mark.parametrize(
    ("wanted", "device", "got"),
    [
        ("auto", "cpu", "fp32"),
        ("auto", "cuda", "mixed"),
        ("auto", "mps", "fp32"),
        ("mixed", "cpu", "fp32"),
        ("fp32", "cuda:1", "fp32"),
        ("fast", "cuda", "fast"),
        ("fast", "cpu", "fast"),
        ("fast", "mps", "fp32"),
    ],
)
def test_precision_is_what_the_device_can_do_at_least_as_faithfully(
    monkeypatch: pytest.MonkeyPatch, wanted: str, device: str, got: str
) -> None:
    monkeypatch.setattr(processor, "has_bf16", lambda: True)

    assert resolve(wanted, device) == got
