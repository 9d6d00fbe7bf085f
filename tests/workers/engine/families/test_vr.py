"""VR against audio-separator's own passes: its bands, its windows, its masks, its way back; 100 dB and 2e-5 per stem.

What it makes ends at the last whole hop of a track. Behind it both stems of ours are silent, for less than 13 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stemsvc.kinds.separate.options import SeparationOptions
from tests import audio_separator
from tests.workers.engine.families.cases import Sound, music
from tests.workers.engine.families.golden_uvr import EVERY, FRAMES, kept, vr_reference
from tests.workers.engine.families.uvr import VRS, vr_bag, vr_state
from tests.workers.engine.reference import assert_faithful, snr
from workers.engine.mixture import ArrayMixture
from workers.engine.separate import Separator

with_reference = pytest.mark.skipif(
    not audio_separator.here(), reason="audio-separator is not here: python -m tests.audio_separator fetches it"
)
CHUNK = 32 * 480  # of the network of four bands


def compared(name: str, mixture: Sound, options: SeparationOptions | None = None, **how: Any) -> None:
    wanted = vr_reference(name, mixture, **how)
    got = Separator(vr_bag(name)).separate_array(mixture, options=options)
    ends = len(next(iter(wanted.values())))
    assert all(len(sound) == len(mixture) for sound in got.values())
    assert 0 <= len(mixture) - ends < 576
    assert not any(sound[ends:].any() for sound in got.values())
    assert_faithful({stem: sound[:ends] for stem, sound in got.items()}, wanted)


@pytest.mark.parametrize("name", VRS)
@pytest.mark.long
def test_a_track_becomes_what_audio_separator_once_made_of_it(name: str) -> None:
    got = Separator(vr_bag(name)).separate_array(music(FRAMES))
    wanted = kept(name)

    assert_faithful({stem: sound[::EVERY][: len(wanted[stem])] for stem, sound in got.items()}, wanted)


@with_reference
@pytest.mark.long
@pytest.mark.parametrize("name", VRS)
def test_the_mask_is_that_of_its_network(name: str) -> None:
    (chunked,) = vr_bag(name).models
    ours, bins = chunked.network, chunked.network._layout.bins
    theirs = audio_separator.vr_network(VRS[name], bins)
    theirs.load_state_dict(vr_state(theirs))
    heard = torch.rand(2, 2, bins + 1, VRS[name]["window_size"], generator=torch.Generator().manual_seed(1))
    heard[1] *= 0.01

    with torch.inference_mode():
        got, wanted = ours._inner.mask(heard[:, :, :bins], lambda: None), theirs(heard)[:, :, :bins]
    for index in range(2):
        assert snr(got[index].numpy(), wanted[index].numpy()) >= 100


@with_reference
@pytest.mark.long
@pytest.mark.parametrize("frames", [1000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK // 2, 2 * CHUNK, 3 * CHUNK + 479])
def test_every_length_is_cut_and_joined_as_by_audio_separator(frames: int) -> None:
    compared("four bands", music(frames))


@with_reference
@pytest.mark.long
def test_half_an_overlap_is_test_time_augmentation() -> None:
    compared("four bands", music(FRAMES), SeparationOptions(overlap=0.5), augmented=True)


@with_reference
@pytest.mark.long
@pytest.mark.parametrize("loud", [1e-4, 50])
def test_odd_levels_agree(loud: float) -> None:
    mixture = music(FRAMES) * np.float32(loud)
    got = Separator(vr_bag("new")).separate_array(mixture)
    for stem, sound in vr_reference("new", mixture).items():
        assert snr(got[stem][: len(sound)], sound) >= 100


def test_both_stems_are_what_the_network_heard_of_the_mixture() -> None:
    bag = vr_bag("one band")
    mixture = music(FRAMES)
    got = Separator(bag).separate_array(mixture)
    ends = FRAMES // 512 * 512

    # all but the highest bin of the transform
    assert snr(got["vocals"][:ends] + got["instrumental"][:ends], mixture[:ends]) > 15


def test_one_stem_is_what_it_is_among_all() -> None:
    separator, mixture = Separator(vr_bag("four bands")), music(2 * CHUNK)
    every = separator.separate_array(mixture)

    for stem in separator.sources:
        np.testing.assert_allclose(separator.separate_array(mixture, (stem,))[stem], every[stem], atol=1e-6)


def test_mixed_precision_is_at_least_60_db() -> None:
    wanted = Separator(vr_bag("new")).separate_array(music(FRAMES))
    separator = Separator(vr_bag("new"), precision="mixed")
    separator._bag.models[0].network.half_layers = True

    mixed = separator.separate_array(music(FRAMES))
    assert all(snr(mixed[stem], sound) >= 60 for stem, sound in wanted.items())


def test_batches_change_nothing() -> None:
    separator, mixture = Separator(vr_bag("new")), music(4 * CHUNK + 5)
    one_by_one = separator.separate_array(mixture)
    separator._batch._sizes[0] = 3

    assert_faithful(separator.separate_array(mixture), one_by_one)


def test_silence_stays_silence() -> None:
    got = Separator(vr_bag("four bands")).separate_array(np.zeros((CHUNK + 5, 2), np.float32))

    assert all(len(sound) == CHUNK + 5 and not sound.any() for sound in got.values())


@pytest.mark.long
def test_pieces_leave_while_the_track_is_still_read() -> None:
    read: list[int] = []

    class Watching(ArrayMixture):
        def read(self, start: int, stop: int) -> Any:
            read.append(stop)
            return super().read(start, stop)

    pieces = Separator(vr_bag("four bands")).separate(Watching(music(20 * CHUNK)), ("vocals",))
    first = next(pieces)
    separating = read[read.index(20 * CHUNK) + 1 :]  # before, the level was measured
    assert max(separating) < 18 * CHUNK
    assert max(len(piece["vocals"]) for piece in (first, *pieces)) < 2 * CHUNK


class Stop(Exception):
    pass


@pytest.mark.parametrize("name", ["four bands", "new"])
def test_a_chunk_ends_where_the_callback_raises(name: str) -> None:
    (chunked,) = vr_bag(name).models
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 5:
            raise Stop

    with torch.inference_mode(), pytest.raises(Stop):
        chunked.network.separate(torch.ones(1, *chunked.network.input_shape(chunked.chunk)), [0], stop)
