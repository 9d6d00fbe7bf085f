"""Each family against MSST's own module and its own `demix`, on the same weights: 100 dB and 2e-5 per stem.

Samples that MSST made once are written down and always compared. Where MSST is (`python -m tests.msst`), it is asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stemsvc.kinds.separate.options import SeparationOptions
from tests import msst
from tests.workers.engine.families.cases import CASES, CHUNK, bag_of, music, state_of
from tests.workers.engine.families.golden import EVERY, FRAMES, kept, reference
from tests.workers.engine.reference import assert_faithful, snr
from workers.engine.separate import Separator

with_msst = pytest.mark.skipif(not msst.here(), reason="MSST is not here: python -m tests.msst fetches it")
FAMILIES = ("bs_roformer", "mel_band_roformer", "mdx23c", "scnet", "scnet_tran", "scnet_masked")


@pytest.mark.parametrize("name", CASES)
def test_a_track_becomes_what_msst_once_made_of_it(name: str) -> None:
    separator = Separator(bag_of(name))
    wanted = kept(name)

    got = separator.separate_array(music(FRAMES), tuple(wanted))
    assert_faithful({stem: sound[::EVERY] for stem, sound in got.items()}, wanted)


@with_msst
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # of theirs
@pytest.mark.parametrize("name", CASES)
def test_the_forward_pass_is_msst_s(name: str) -> None:
    family, config = CASES[name]
    theirs: Any = msst.network(family, config)
    theirs.load_state_dict(state_of(theirs))
    (chunked,) = bag_of(name).models
    wave = torch.from_numpy(music(chunked.chunk).T.copy())[None].repeat(2, 1, 1)
    wave[1] *= 0.01

    with torch.inference_mode():
        wanted, got = theirs(wave), chunked.network(wave)
    for index in range(2):  # quiet ones too
        assert snr(got[index].numpy(), wanted[index].reshape(got[index].shape).numpy()) >= 100


LENGTHS = [2, 999, CHUNK // 2, CHUNK // 2 + 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK // 2, 2 * CHUNK, 3 * CHUNK + 1]


@with_msst
@pytest.mark.long
@pytest.mark.parametrize("overlaps", [1, 2, 3, 4, 7])
def test_every_length_and_overlap_is_cut_and_faded_as_by_demix(overlaps: int) -> None:
    separator = Separator(bag_of("bs_roformer"))
    options = SeparationOptions(overlap=1 - 1 / overlaps)
    for frames in LENGTHS:
        wanted = reference("bs_roformer", music(frames), num_overlap=overlaps)
        assert_faithful(separator.separate_array(music(frames), options=options), wanted)


@with_msst
@pytest.mark.long
@pytest.mark.parametrize("name", [*FAMILIES, "bs_roformer of one target"])
def test_odd_signals_agree_with_msst(name: str) -> None:
    separator = Separator(bag_of(name))
    for mixture in (music(CHUNK + 99) * np.float32(1e-4), music(CHUNK + 99) * np.float32(50), music(3)):
        wanted = reference(name, mixture)
        got = separator.separate_array(mixture, tuple(wanted))
        largest = max(1.0, float(np.abs(mixture).max()))
        for stem in wanted:
            assert snr(got[stem], wanted[stem]) >= 100
            assert np.abs(got[stem] - wanted[stem]).max() <= 2e-5 * largest


@pytest.mark.parametrize("name", FAMILIES)
def test_silence_stays_finite(name: str) -> None:
    got = Separator(bag_of(name)).separate_array(np.zeros((CHUNK + 5, 2), np.float32))

    assert all(np.isfinite(sound).all() and len(sound) == CHUNK + 5 for sound in got.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_mixed_precision_is_at_least_60_db_in_every_family(name: str) -> None:
    separator = Separator(bag_of(name))
    wanted = separator.separate_array(music(CHUNK))
    separator._bag.models[0].network.half_layers = True

    mixed = separator.separate_array(music(CHUNK))
    assert all(snr(mixed[stem], sound) >= 60 for stem, sound in wanted.items())


@pytest.mark.parametrize("name", ["bs_roformer", "mel_band_roformer", "scnet_tran"])
def test_half_precision_of_layers_keeps_60_db_on_quiet_tracks_too(name: str) -> None:
    # given the arithmetic that CUDA gets, here on a CPU
    bag = bag_of(name)
    separator = Separator(bag)
    network = separator.network(0)
    for quiet in (1.0, 1e-3):
        mixture = music(CHUNK) * np.float32(quiet)
        bag.models[0].network.half_layers = False
        wanted = separator.separate_array(mixture)
        bag.models[0].network.half_layers = True

        mixed = separator.separate_array(mixture)
        for stem, sound in wanted.items():
            assert 60 <= snr(mixed[stem], sound) < 110, (stem, snr(mixed[stem], sound))
    assert network.depth == 1
