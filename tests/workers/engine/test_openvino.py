"""The CPU path: conversions are kept on disk, checked, and never needed."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stemsvc.host import memory, processor
from stemsvc.host.folders import private
from tests.workers.engine.reference import assert_faithful, bag, hdemucs, htdemucs, music, snr, upstream
from workers.engine import kept, openvino
from workers.engine.converting import OnConvert, unseen
from workers.engine.mixture import ArrayMixture
from workers.engine.networks import TorchNetwork
from workers.engine.openvino import OpenVinoNetwork
from workers.engine.separate import Separator

FOUR = ("drums", "bass", "other", "vocals")


class Once:
    """Keeps a network out of a cache's key."""

    def __init__(self, network: Any) -> None:
        self.network = network

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Once)

    def __hash__(self) -> int:
        return 0


CONVERT = openvino._convert


@functools.cache
def _convert_by_name(name: str, network: Once, length: int) -> Any:
    return CONVERT(network.network, length, unseen)


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a network was converted; the same one is really converted once, for the time that it takes."""
    seen: list[int] = []

    def counted(network: Any, length: int, on_convert: OnConvert) -> Any:
        seen.append(length)
        return _convert_by_name(openvino._fingerprint(network, length, ""), Once(network), length)

    monkeypatch.setattr(openvino, "_convert", counted)
    return seen


def test_a_conversion_is_done_once_and_then_read(tmp_path: Path, conversions: list[int]) -> None:
    model, mixture = bag(htdemucs()), music(3.0)
    first = Separator(model, cache=tmp_path).separate_array(mixture)
    second = Separator(model, cache=tmp_path).separate_array(mixture)

    assert conversions == [2 * 44100]
    assert_faithful(second, first)
    assert [path.name[:9] for path in tmp_path.iterdir()] == ["openvino-"]


@pytest.mark.long
def test_other_weights_or_another_architecture_are_another_conversion(tmp_path: Path, conversions: list[int]) -> None:
    for network in (htdemucs(), htdemucs(seed=1), htdemucs(t_weight_pos_embed=0.5)):
        Separator(bag(network), cache=tmp_path).network(0)

    assert len(conversions) == len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "damage", ["shorten", *(pytest.param(how, marks=pytest.mark.long) for how in ("zeros", "missing", "no sums"))]
)
def test_a_damaged_conversion_is_made_again(tmp_path: Path, conversions: list[int], damage: str) -> None:
    model, mixture = bag(htdemucs()), music(1.0)
    wanted = Separator(model, cache=tmp_path).separate_array(mixture)
    (folder,) = tmp_path.iterdir()
    weights = folder / "core.bin"
    if damage == "shorten":
        weights.write_bytes(weights.read_bytes()[:-10])
    elif damage == "zeros":
        weights.write_bytes(bytes(weights.stat().st_size))
    elif damage == "missing":
        weights.unlink()
    else:
        (folder / "sums.json").write_text("{}")

    assert_faithful(Separator(model, cache=tmp_path).separate_array(mixture), wanted)
    Separator(model, cache=tmp_path).network(0)
    assert len(conversions) == 2


@pytest.mark.parametrize(
    ("opened", "folder", "file"), [(0o755, 0o755, 0o644), (0o2775, 0o755, 0o644), (0o700, 0o700, 0o600)]
)
def test_who_shares_the_cache_shares_its_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: int, folder: int, file: int
) -> None:
    def save_model(model: str, path: Path, compress_to_fp16: bool) -> None:
        path.write_text(model)

    monkeypatch.setattr(kept, "openvino", lambda: SimpleNamespace(save_model=save_model))
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(opened)
    with private():
        kept.keep("a network", cache / "openvino-1")

    assert (cache / "openvino-1").stat().st_mode & 0o777 == folder
    assert {path.stat().st_mode & 0o777 for path in (cache / "openvino-1").iterdir()} == {file}
    assert kept.is_whole(cache / "openvino-1")


def test_a_cache_that_can_not_be_written_costs_only_time(tmp_path: Path, conversions: list[int]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("this is no folder")
    model, mixture = bag(htdemucs()), music(1.0)

    assert_faithful(Separator(model, cache=blocked / "cache").separate_array(mixture), upstream(model, mixture))
    assert len(conversions) == 1


def test_a_network_that_can_not_be_converted_runs_in_torch(caplog: pytest.LogCaptureFixture) -> None:
    separator = Separator(bag(hdemucs(multi_freqs=[0.25, 0.75])))

    assert isinstance(separator.network(0), TorchNetwork)
    assert "torch runs it" in caplog.text


@pytest.mark.long
def test_a_conversion_tells_its_layers_one_after_the_other_and_a_kept_one_nothing(tmp_path: Path) -> None:
    # given a bag of two networks, of which one is already converted
    model = bag(htdemucs(), htdemucs(seed=1))
    Separator(model, cache=tmp_path).network(0)
    seen: list[tuple[int, int]] = []

    # when both are loaded
    Separator(model, cache=tmp_path).load(FOUR, lambda done, total: seen.append((done, total)))

    # then the second one's layers are told, as the second half
    (total,) = {total for _, total in seen}
    steps = [done for done, _ in seen]
    assert steps == sorted(steps)
    assert (steps[0] * 2, steps[-1]) == (total, total)
    assert len({*steps}) > 20

    # and nothing is told where nothing is converted
    seen.clear()
    Separator(model, cache=tmp_path).load(FOUR, lambda done, total: seen.append((done, total)))
    assert seen == []


class Canceled(Exception):
    pass


@pytest.mark.long
def test_whoever_hears_of_a_conversion_may_end_it(tmp_path: Path) -> None:
    def cancel(done: int, total: int) -> None:
        if done > 3:
            raise Canceled

    model = bag(htdemucs())
    with pytest.raises(Canceled):
        Separator(model, cache=tmp_path).load(FOUR, cancel)

    assert not list(tmp_path.iterdir())
    assert isinstance(Separator(model, cache=tmp_path).network(0), OpenVinoNetwork)


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.long
def test_fast_is_full_precision_on_a_processor_without_bf16(monkeypatch: pytest.MonkeyPatch, has: bool) -> None:
    monkeypatch.setattr(processor, "has_bf16", lambda: has)
    hints: list[object] = []
    real = kept.compile_model

    def noted(model: Any, how: kept.Options) -> Any:
        hints.append(how["INFERENCE_PRECISION_HINT"])
        return real(model, how)

    monkeypatch.setattr(openvino, "compile_model", noted)

    separator = Separator(bag(htdemucs()), precision="fast")
    assert separator.runs_fast(FOUR) is has
    assert hints == ["bf16" if has else "f32"]


def test_fast_is_full_precision_where_torch_runs_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "has_bf16", lambda: True)
    monkeypatch.setattr(kept, "available", lambda: False)

    assert not Separator(bag(htdemucs()), precision="fast").runs_fast(FOUR)


@pytest.mark.long
@pytest.mark.skipif(not processor.has_bf16(), reason="this processor has no bf16")
def test_the_fast_precision_says_what_it_costs() -> None:
    model, mixture = bag(htdemucs()), music(4.0)
    separator = Separator(model, precision="fast")
    assert isinstance(separator.network(0), OpenVinoNetwork)

    wanted = upstream(model, mixture)
    assert all(snr(sound, wanted[stem]) > 25 for stem, sound in separator.separate_array(mixture).items())


def test_segments_move_to_narrow_streams_where_others_take_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a machine on which no segment ever has the cores that it was to have
    monkeypatch.setattr(openvino, "ENOUGH", 1000.0)
    model, mixture = bag(htdemucs()), music(12.0)
    separator = Separator(model, threads=2, cache=tmp_path)
    network: Any = separator.network(0)
    seen: list[int] = []

    # when a track is separated
    stems = list(separator.separate(ArrayMixture(mixture), FOUR, on_segment=lambda *_: seen.append(network.depth)))

    # then its later segments run one on each core, the stems are the same, and the next track begins as the first did
    got = {stem: np.concatenate([piece[stem] for piece in stems]) for stem in FOUR}
    assert_faithful(got, upstream(model, mixture))
    assert (seen[0], seen[-1], network.depth) == (2, 3, 2)


def test_a_track_goes_on_where_narrow_streams_can_not_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # given the same machine, where the conversion is deleted while a track is separated
    monkeypatch.setattr(openvino, "ENOUGH", 1000.0)
    model, mixture = bag(htdemucs()), music(8.0)
    separator = Separator(model, threads=2, cache=tmp_path)
    separator.load(FOUR)
    shutil.rmtree(next(tmp_path.iterdir()))

    assert_faithful(separator.separate_array(mixture), upstream(model, mixture))
    assert "no further streams" in caplog.text


def test_a_track_stays_where_memory_is_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(openvino, "ENOUGH", 1000.0)
    monkeypatch.setattr(memory, "available", lambda: 1 << 20)
    separator = Separator(bag(htdemucs()), threads=2, cache=tmp_path)
    network: Any = separator.network(0)
    seen: set[int] = set()

    list(separator.separate(ArrayMixture(music(8.0)), FOUR, on_segment=lambda *_: seen.add(network.depth)))

    assert seen == {2}


def test_openvino_does_not_report_to_its_vendor() -> None:
    # given a fresh process, since the module is imported once in each
    code = (
        "import sys\nfrom workers.engine.kept import openvino\nopenvino()\n"
        "assert sys.modules.get('openvino_telemetry') is None\n"
        "import openvino.tools.ovc.telemetry_utils as t\nassert 'stub' in t.tm.__name__, t.tm\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
