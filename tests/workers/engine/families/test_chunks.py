"""The other families in the engine: streams, batches, stems, memory that runs out, and what ends a chunk."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch

from stemsvc.errors import StemsvcError
from stemsvc.kinds.separate.options import SeparationOptions
from tests.workers.engine.families.cases import CHUNK, RATE, bag_of, music
from tests.workers.engine.reference import assert_faithful
from workers.engine.bag import Bag, Chunked
from workers.engine.chunks import plan_chunks
from workers.engine.families.network import ChunkNetwork, Poll, no_poll
from workers.engine.mixture import ArrayMixture, Reader
from workers.engine.networks import Watched
from workers.engine.separate import Separator


class Scaling(ChunkNetwork):
    """Stems that are shares of what comes in, so that a whole separation gives the track back."""

    def __init__(self, *shares: float, limit: int = 99) -> None:
        super().__init__()
        self.stems, self._shares, self._limit = len(shares), shares, limit
        self.batches: list[int] = []
        self.asked: list[list[int]] = []

    def separate(self, wave: torch.Tensor, stems: Any, poll: Poll = no_poll) -> torch.Tensor:
        self.batches.append(len(wave))
        self.asked.append(list(stems))
        if len(wave) > self._limit:
            raise torch.OutOfMemoryError("no room for this batch")
        return torch.stack([wave * self._shares[stem] for stem in stems], dim=1)


def scaling(*shares: float, chunk: int = 4410, rest: str | None = None, **how: Any) -> tuple[Separator, Scaling]:
    network = Scaling(*shares, **how)
    stems = [f"s{index}" for index in range(len(shares))] + ([rest] if rest else [])
    return Separator(Bag([Chunked(network, RATE, chunk, 0.5)], stems, rest=rest)), network


@pytest.mark.parametrize("overlap", [0.1, 0.5, 2 / 3, 0.75, 0.9])
@pytest.mark.parametrize("frames", [1, 2, 4409, 4410, 4411, 22050, 30001])
def test_chunks_fade_into_each_other_without_a_trace(overlap: float, frames: int) -> None:
    separator, _ = scaling(0.75, 0.25)
    mixture = music(frames)

    got = separator.separate_array(mixture, options=SeparationOptions(overlap=overlap))
    np.testing.assert_allclose(got["s0"], 0.75 * mixture, atol=1e-6)
    np.testing.assert_allclose(got["s1"], 0.25 * mixture, atol=1e-6)


def test_shifts_are_averaged_and_seeded() -> None:
    separator = Separator(bag_of("bs_roformer"))
    mixture = music(2 * CHUNK)
    first, again, other = (
        separator.separate_array(mixture, ("vocals",), SeparationOptions(shifts=2, seed=seed))["vocals"]
        for seed in (5, 5, 6)
    )

    np.testing.assert_array_equal(first, again)
    assert len(first) == len(mixture)
    assert not np.array_equal(first, other)


def test_a_stream_is_bitwise_the_whole_buffer() -> None:
    bag = bag_of("mel_band_roformer")
    separator, mixture, options = Separator(bag), music(4 * CHUNK + 7), SeparationOptions(overlap=0.75)
    (run,) = plan_chunks(bag.models, [0], len(mixture), options)
    reader = Reader(lambda start, stop: mixture[start:stop], len(mixture), 0.0, 1.0)
    total, weights = torch.zeros(2, 2, run.frames - run.start), torch.zeros(run.frames - run.start)
    for segment in run.segments():
        chunk = np.empty((2, segment.padded), np.float32)
        run.fill(reader, chunk, segment)
        at = slice(segment.start - run.start, segment.start - run.start + segment.length)
        weight = run.weigher(torch.device("cpu"))(segment)
        made = separator.network(0).start(torch.from_numpy(chunk)[None], [0, 1]).result()[0]
        total[..., at] += made[..., : segment.length] * weight
        weights[at] += weight
    whole = (total / weights)[..., -run.start : -run.start + len(mixture)].numpy()

    streamed = separator.separate_array(mixture, options=options)
    np.testing.assert_array_equal(streamed["vocals"], whole[0].T)
    np.testing.assert_array_equal(streamed["other"], whole[1].T)


def test_pieces_leave_while_the_track_is_still_read() -> None:
    read: list[int] = []

    class Watching(ArrayMixture):
        def read(self, start: int, stop: int) -> Any:
            read.append(stop)
            return super().read(start, stop)

    separator, _ = scaling(1.0)
    pieces = separator.separate(Watching(music(50 * 4410)), ("s0",))
    next(pieces)
    assert max(read) < 5 * 4410
    assert max(len(piece["s0"]) for piece in pieces) <= 4410


@pytest.mark.parametrize("size", [2, 5])
def test_batches_change_nothing(size: int) -> None:
    separator = Separator(bag_of("bs_roformer"))
    mixture = music(3 * CHUNK + 5)
    one_by_one = separator.separate_array(mixture)
    separator._batch._sizes[0] = size

    assert_faithful(separator.separate_array(mixture), one_by_one)


def test_a_batch_that_does_not_fit_is_halved() -> None:
    separator, network = scaling(1.0, limit=2)
    separator._batch._sizes[0] = 8
    mixture = music(10 * 4410)

    np.testing.assert_allclose(separator.separate_array(mixture)["s0"], mixture, atol=1e-6)
    assert network.batches[:3] == [8, 4, 2]
    assert separator._batch.size(0) == 2


@pytest.mark.parametrize("name", ["bs_roformer", "mel_band_roformer of six stems", "mdx23c", "scnet", "scnet_masked"])
def test_one_stem_is_what_it_is_among_all(name: str) -> None:
    separator = Separator(bag_of(name))
    mixture = music(CHUNK)
    every = separator.separate_array(mixture)

    for stem in separator.sources[:3]:
        np.testing.assert_allclose(separator.separate_array(mixture, (stem,))[stem], every[stem], atol=1e-6)


def test_only_the_stems_asked_for_are_computed() -> None:
    separator, network = scaling(0.5, 0.3, 0.2)
    separator.separate_array(music(4410), ("s2", "s0"))

    assert network.asked[0] == [2, 0]


def test_the_rest_is_the_mixture_less_what_is_predicted() -> None:
    separator, network = scaling(0.5, 0.3, rest="left")
    mixture = music(20000)
    got = separator.separate_array(mixture)

    np.testing.assert_array_equal(got["left"], mixture - got["s0"] - got["s1"])
    np.testing.assert_array_equal(separator.separate_array(mixture, ("left",))["left"], got["left"])
    separator.separate_array(mixture, ("s1",))
    assert network.asked[-1] == [1]


class Stop(Exception):
    pass


def test_a_chunk_ends_where_the_callback_raises() -> None:
    class Deep(Scaling):
        def separate(self, wave: torch.Tensor, stems: Any, poll: Poll = no_poll) -> torch.Tensor:
            for _ in range(1000):
                time.sleep(0.01)
                poll()
            raise AssertionError("nobody ended the chunk")

    def stop(done: int, total: int) -> None:
        assert done == 0
        raise Stop

    separator = Separator(Bag([Chunked(Deep(1.0), RATE, 4410, 0.5)], ["s0"]))
    began = time.monotonic()
    with pytest.raises(Stop):
        list(separator.separate(ArrayMixture(music(4410)), ("s0",), on_segment=stop))
    assert time.monotonic() - began < 5
    assert isinstance(separator.network(0), Watched)


@pytest.mark.parametrize("name", ["bs_roformer", "mel_band_roformer", "mdx23c", "scnet", "scnet_tran", "scnet_masked"])
def test_every_family_asks_between_its_layers(name: str) -> None:
    (chunked,) = bag_of(name).models
    asked = 0

    def poll() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise Stop

    with torch.inference_mode(), pytest.raises(Stop):
        chunked.network.separate(torch.zeros(1, 2, chunked.chunk), [0], poll)


def test_a_shorter_segment_is_one_that_the_network_takes() -> None:
    separator = Separator(bag_of("mdx23c", chunk=128 * (4 * 120 - 1)))
    got = separator.separate_array(music(2 * RATE), options=SeparationOptions(segment=1.0))

    assert all(len(sound) == 2 * RATE for sound in got.values())
    with pytest.raises(StemsvcError, match="segment"):
        separator.separate_array(music(RATE), options=SeparationOptions(segment=3.0))


def test_networks_of_a_bag_are_averaged_by_their_weights() -> None:
    chunked = [Chunked(Scaling(share), RATE, 4410, 0.5) for share in (1.0, 0.0)]
    mixture = music(9000)

    (plain,) = Separator(Bag(chunked, ["s0"])).separate_array(mixture).values()
    (weighted,) = Separator(Bag(chunked, ["s0"], [[3.0], [1.0]])).separate_array(mixture).values()
    np.testing.assert_allclose(plain, 0.5 * mixture, atol=1e-6)
    np.testing.assert_allclose(weighted, 0.75 * mixture, atol=1e-6)
