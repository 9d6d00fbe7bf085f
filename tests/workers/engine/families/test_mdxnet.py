"""MDX-Net against audio-separator's own `demix` with onnxruntime behind it: 100 dB and 2e-5.

Samples that it made once are written down and always compared. Where audio-separator is
(`python -m tests.audio_separator`), it is asked.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stemsvc.errors import WeightsMismatch
from stemsvc.kinds.separate.options import SeparationOptions
from tests import audio_separator
from tests.workers.engine.families.cases import RATE, music
from tests.workers.engine.families.golden_uvr import EVERY, FRAMES, kept
from tests.workers.engine.families.uvr import MDX, MDX_CHUNK, mdx_bag, mdx_file, write_mdx
from tests.workers.engine.reference import assert_faithful, snr
from workers.engine.families import onnx_graph
from workers.engine.families.mdxnet import MDXNet
from workers.engine.separate import Separator

with_reference = pytest.mark.skipif(
    not audio_separator.here(), reason="audio-separator is not here: python -m tests.audio_separator fetches it"
)
INNER, STEP = MDX_CHUNK - 2048, int(0.75 * MDX_CHUNK)
LENGTHS = [1, 2, 999, MDX_CHUNK // 2, MDX_CHUNK - 1, MDX_CHUNK, MDX_CHUNK + 1, INNER, INNER + 1, STEP, 4 * STEP]


def test_a_track_becomes_what_audio_separator_once_made_of_it() -> None:
    got = Separator(mdx_bag()).separate_array(music(FRAMES))

    assert_faithful({stem: sound[::EVERY] for stem, sound in got.items()}, kept("mdxnet"))


@with_reference
@pytest.mark.long
def test_the_forward_pass_is_that_of_onnxruntime() -> None:
    (chunked,) = mdx_bag().models
    chunked.network.ready(torch.device("cpu"), 1, fast=False)
    wave = torch.from_numpy(music(MDX_CHUNK).T.copy())[None].repeat(2, 1, 1)
    wave[1] *= 0.001

    got = chunked.network(wave)[:, 0].numpy()
    for index in range(2):  # quiet ones too
        wanted = audio_separator.mdx_forward(mdx_file(), MDX, wave[index : index + 1])
        assert snr(got[index], wanted) >= 100


@with_reference
@pytest.mark.long
@pytest.mark.parametrize("overlap", [0, 0.1, 0.25, 0.5, 0.75])
def test_every_length_and_overlap_is_cut_and_faded_as_by_demix(overlap: float) -> None:
    separator = Separator(mdx_bag())
    for frames in LENGTHS:
        mixture = music(frames)
        wanted = dict(
            zip(separator.sources, audio_separator.mdx_separate(mdx_file(), MDX, mixture, overlap), strict=True)
        )
        assert_faithful(separator.separate_array(mixture, options=SeparationOptions(overlap=overlap)), wanted)


@with_reference
@pytest.mark.long
@pytest.mark.parametrize("loud", [1e-4, 50])
def test_odd_levels_agree(loud: float) -> None:
    mixture = music(MDX_CHUNK + 99) * np.float32(loud)
    wanted, _ = audio_separator.mdx_separate(mdx_file(), MDX, mixture)

    assert snr(Separator(mdx_bag()).separate_array(mixture)["vocals"], wanted) >= 100


def test_the_other_stem_is_what_is_left() -> None:
    mixture = music(MDX_CHUNK)
    got = Separator(mdx_bag()).separate_array(mixture)

    np.testing.assert_array_equal(got["instrumental"], mixture - got["vocals"])


def test_mixed_precision_is_at_least_60_db() -> None:
    wanted = Separator(mdx_bag()).separate_array(music(FRAMES))
    separator = Separator(mdx_bag(), precision="mixed")
    separator._bag.models[0].network.half_layers = True

    mixed = separator.separate_array(music(FRAMES))
    assert all(snr(mixed[stem], sound) >= 60 for stem, sound in wanted.items())


def test_batches_change_nothing() -> None:
    separator, mixture = Separator(mdx_bag()), music(3 * MDX_CHUNK)
    one_by_one = separator.separate_array(mixture)
    separator._batch._sizes[0] = 3

    assert_faithful(separator.separate_array(mixture), one_by_one)


def test_silence_stays_silence_of_the_same_length() -> None:
    got = Separator(mdx_bag()).separate_array(np.zeros((MDX_CHUNK + 5, 2), np.float32))

    assert all(np.isfinite(sound).all() and len(sound) == MDX_CHUNK + 5 for sound in got.values())


def test_a_shorter_segment_is_one_that_the_network_takes(tmp_path: Path) -> None:
    data = {**MDX, "mdx_dim_t_set": 7}
    separator = Separator(mdx_bag(write_mdx(tmp_path / "long.onnx", data), data))
    options = SeparationOptions(segment=1.5)
    got = separator.separate_array(music(2 * RATE), options=options)

    assert separator.segment == 1024 * 127 / RATE
    assert separator.count_segments(2 * RATE, ("vocals",), options) == 3
    assert len(got["vocals"]) == 2 * RATE


class Stop(Exception):
    pass


def test_a_chunk_ends_where_the_callback_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {**MDX, "mdx_dim_f_set": 2048, "mdx_dim_t_set": 8, "mdx_n_fft_scale_set": 6144}
    network = MDXNet(
        write_mdx(tmp_path / "large.onnx", data), n_fft=6144, hop_length=1024, dim_f=2048, dim_t=256, compensate=1
    )
    network.ready(torch.device("cpu"), 1, fast=False)
    monkeypatch.setattr(onnx_graph, "POLL_MS", 0)
    wave = torch.zeros(1, 2, 1024 * 255)

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        network.separate(wave, [0], stop)
    assert torch.isfinite(network(wave)).all()  # it is ready for the next chunk


def test_a_graph_of_another_size_is_refused() -> None:
    with pytest.raises(WeightsMismatch, match=r"768.*32.*and the config's network has \[4, 512, 32\]"):
        MDXNet(mdx_file(), n_fft=2048, hop_length=1024, dim_f=512, dim_t=32, compensate=1)
