"""Ensembles and chains: what they make is what their models make, one by one, on the whole track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch

from stemsvc.errors import FatalError
from tests.workers.engine.families.cases import RATE, Sound, bag_of, music
from tests.workers.engine.families.test_chunks import Scaling, Stop
from tests.workers.engine.reference import bag, htdemucs, snr
from workers.engine.bag import Bag, Chunked
from workers.engine.chain import Chain, ChainStep
from workers.engine.combine import combination
from workers.engine.mixture import ArrayMixture, Measured
from workers.engine.separate import Separator


def scaling(shares: Mapping[str, float], chunk: int = 4410, rest: str | None = None, rate: int = RATE) -> Separator:
    network = Scaling(*shares.values())
    return Separator(Bag([Chunked(network, rate, chunk, 0.5)], [*shares, *([rest] if rest else [])], rest=rest))


def step(separators: Sequence[Separator], *take: str, combine: str = "average", **how: float) -> ChainStep:
    weights = list(how.values()) or [1.0] * len(separators)
    return ChainStep(separators, weights, combine, {name: name for name in take})


def test_a_later_step_hears_what_the_earlier_ones_left() -> None:
    first, second = scaling({"vocals": 0.5, "other": 0.5}), scaling({"drums": 0.5, "bass": 0.2}, chunk=6000)
    chain = Chain([step([first], "vocals"), step([second], "drums", "bass")], rest="left")
    mixture = music(50001)

    got = chain.separate_array(mixture)
    for stem, share in {"vocals": 0.5, "drums": 0.25, "bass": 0.1, "left": 0.15}.items():
        np.testing.assert_allclose(got[stem], share * mixture, atol=1e-6)
    np.testing.assert_allclose(sum(got.values()), mixture, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 5000, 50001])
def test_models_of_a_set_hear_the_whole_whatever_is_taken_beside_them(frames: int) -> None:
    cascade = [scaling({"vocals": 0.5, "other": 0.5}), scaling({"drums": 0.5, "bass": 0.2}, chunk=6000)]
    first, second = (step([each], *take) for each, take in zip(cascade, (["vocals"], ["drums", "bass"]), strict=True))
    beside = ChainStep(
        [scaling({"lead": 0.7, "band": 0.3}, chunk=7001)], [1.0], "average", {"lead": "lead"}, alone=True
    )
    mixture = music(frames)

    for steps in ([beside, first, second], [first, beside, second], [first, second, beside]):
        got = Chain(steps, rest="left").separate_array(mixture)
        for stem, share in {"vocals": 0.5, "drums": 0.25, "bass": 0.1, "left": 0.15, "lead": 0.7}.items():
            np.testing.assert_allclose(got[stem], share * mixture, atol=1e-6)


@pytest.mark.parametrize(
    ("stems", "run"),
    [
        (("lead",), ["beside"]),
        (("vocals",), ["first"]),
        (("drums",), ["first", "second"]),
        (("lead", "vocals"), ["first", "beside"]),
        (("left",), ["first", "second"]),
    ],
)
def test_a_step_beside_a_cascade_runs_only_for_its_own_stems(stems: tuple[str, ...], run: list[str]) -> None:
    first, second = scaling({"vocals": 0.5, "other": 0.5}), scaling({"drums": 0.5})
    beside = scaling({"lead": 0.7})
    alone = ChainStep([beside], [1.0], "average", {"lead": "lead"}, alone=True)
    chain = Chain([step([first], "vocals"), alone, step([second], "drums")], rest="left")
    chain.separate_array(music(6000), stems)
    separators = {"first": first, "second": second, "beside": beside}
    assert [name for name, each in separators.items() if each._bag.models[0].network.batches] == run


@pytest.mark.parametrize(("how", "share"), [("average", 0.625), ("min", 0.5), ("max", 1.0)])
@pytest.mark.parametrize("frames", [1, 1023, 5000, 44101])
def test_an_ensemble_combines_models_of_different_chunks(how: str, share: float, frames: int) -> None:
    members = [scaling({"v": 0.5}), scaling({"v": 1.0}, chunk=7001)]
    chain = Chain([step(members, "v", combine=how, first=3.0, second=1.0)])
    mixture = music(frames)

    np.testing.assert_allclose(chain.separate_array(mixture)["v"], share * mixture, atol=1e-6)


@pytest.mark.parametrize("how", ["min", "max"])
def test_spectra_are_compared_as_those_of_the_whole_track(how: str) -> None:
    frames = 20000
    sounds = [music(frames, seed) for seed in (1, 2)]
    wave = torch.from_numpy(np.stack([sound.T for sound in sounds])).double()
    window = torch.hann_window(2048, dtype=torch.float64)
    z = torch.stft(wave.flatten(0, 1), 2048, 1024, window=window, return_complex=True, pad_mode="constant")
    z = z.view(2, 2, *z.shape[1:])
    chosen = (z.abs().argmax(0) if how == "max" else z.abs().argmin(0))[None]
    # what istft does, with the silent frame that ends the last hop
    wanted = torch.istft(z.gather(0, chosen)[0], 2048, 1024, window=window, length=frames).numpy().T

    combined, pieces = combination(how, [1.0, 1.0]), []
    for start in range(0, frames, 700):
        pieces.append(combined.add([sound[start : start + 700] for sound in sounds]))
    made = np.concatenate([*pieces, combined.rest()])
    assert made.shape == wanted.shape
    inside = slice(0, frames // 1024 * 1024)
    assert snr(made[inside], wanted[inside].astype(np.float32)) > 100


def test_demucs_hears_what_a_roformer_left_as_if_it_were_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.engine.kept.available", lambda: False)
    roformer, demucs = Separator(bag_of("bs_roformer of one target")), Separator(bag(htdemucs()))
    mixture = music(3 * RATE)
    mixture -= mixture.mean(axis=0)
    chain = Chain([step([roformer], "vocals"), step([demucs], "drums", "bass", "other")])
    vocals = roformer.separate_array(mixture, ("vocals",))["vocals"]
    alone = demucs.separate_array(mixture - vocals, ("drums", "bass", "other"))

    got = chain.separate_array(mixture)
    np.testing.assert_array_equal(got["vocals"], vocals)
    for stem, sound in alone.items():  # only the loudness differs, which the network takes out again
        assert snr(got[stem], sound) > 50, stem


def test_only_the_steps_that_are_asked_for_run() -> None:
    first, second = scaling({"vocals": 0.5}), scaling({"drums": 0.5})
    chain = Chain([step([first], "vocals"), step([second], "drums")])
    mixture = music(9000)
    chain.separate_array(mixture, ("vocals",))
    assert second._bag.models[0].network.batches == []

    drums = chain.separate_array(mixture, ("drums",))
    assert list(drums) == ["drums"]
    np.testing.assert_allclose(drums["drums"], 0.25 * mixture, atol=1e-6)


def test_progress_counts_the_segments_of_all_and_never_falls() -> None:
    chain = Chain([step([scaling({"a": 0.5}), scaling({"a": 0.5}, 6000)], "a"), step([scaling({"b": 1.0})], "b")])
    seen: list[tuple[int, int]] = []
    list(chain.separate(ArrayMixture(music(40000)), ("a", "b"), on_segment=lambda *done: seen.append(done)))

    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] > 10


def test_what_the_callback_raises_ends_every_step() -> None:
    def stop(done: int, total: int) -> None:
        if done > 2:
            raise Stop

    chain = Chain([step([scaling({"a": 0.5})], "a"), step([scaling({"b": 1.0})], "b")])
    with pytest.raises(Stop):
        list(chain.separate(ArrayMixture(music(400000)), ("a", "b"), on_segment=stop))


def test_a_long_track_is_not_held() -> None:
    class Endless(Measured):
        frames = 200 * RATE
        loudness = (0.1, 1.0)
        most_behind = 0
        _furthest = 0

        def read(self, start: int, stop: int) -> Sound:
            Endless._furthest = max(self._furthest, stop)
            Endless.most_behind = max(self.most_behind, self._furthest - start)
            return np.full((stop - start, 2), 0.1, np.float32)

    chain = Chain([step([scaling({"a": 0.5}, RATE)], "a"), step([scaling({"b": 1.0}, RATE)], "b")])
    longest = max(len(piece["b"]) for piece in chain.separate(Endless(), ("a", "b")))
    assert longest <= RATE
    assert Endless.most_behind <= 4 * RATE  # the second step reads where the first one still writes


def test_models_of_different_rates_make_no_chain() -> None:
    with pytest.raises(FatalError, match="different rates"):
        Chain([step([scaling({"a": 0.5}), scaling({"a": 0.5}, rate=48000)], "a")])
