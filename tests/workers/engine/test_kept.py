"""A network is compiled while the engine is still loading, and only if it is the one that the engine needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workers.engine.reference import bag, htdemucs
from workers.engine import kept, openvino
from workers.engine.separate import Separator


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file that a network was read from."""
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who compiled a network: the engine, or the thread beside it."""
    seen: list[str] = []
    real = kept.compile_model

    def noted(who: str) -> Any:
        def compile_model(model: Any, how: kept.Options) -> Any:
            seen.append(who)
            return real(model, how)

        return compile_model

    monkeypatch.setattr(kept, "compile_model", noted("beside"))
    monkeypatch.setattr(openvino, "compile_model", noted("engine"))
    return seen


def read_from(weights: Path, **changes: Any) -> Any:
    network = htdemucs(**changes)
    network.loaded_from = weights
    return network


def test_what_is_compiled_beside_is_what_the_engine_takes(
    tmp_path: Path, weights: Path, compilations: list[str]
) -> None:
    # given a conversion that an earlier process made of these weights
    cache = tmp_path / "cache"
    Separator(bag(read_from(weights)), cache=cache).network(0)
    assert compilations == ["engine"]

    # when the next one begins to compile before it has loaded them
    kept.compile_beside(cache, weights, 0)
    Separator(bag(read_from(weights)), cache=cache).network(0)

    # then the engine compiles nothing, and a third engine has to
    assert compilations == ["engine", "beside"]
    Separator(bag(read_from(weights)), cache=cache).network(0)
    assert compilations == ["engine", "beside", "engine"]


@pytest.mark.parametrize("what", ["other weights", "other threads", "damage"])
def test_nothing_else_is_taken(tmp_path: Path, weights: Path, compilations: list[str], what: str) -> None:
    # given a conversion of these weights, which is compiled beside
    cache = tmp_path / "cache"
    Separator(bag(read_from(weights)), cache=cache).network(0)
    (folder,) = cache.iterdir()
    compilations.clear()
    if what == "damage":
        (folder / "core.bin").write_bytes(bytes((folder / "core.bin").stat().st_size))
    kept.compile_beside(cache, weights, 0)

    # when the engine needs another one
    changes = {"seed": 1} if what == "other weights" else {}
    threads = kept.cores() + 1 if what == "other threads" else 0
    Separator(bag(read_from(weights, **changes)), cache=cache, threads=threads).network(0)

    # then it compiles its own
    assert compilations[-1] == "engine"


def test_weights_without_a_conversion_start_nothing(tmp_path: Path, weights: Path, compilations: list[str]) -> None:
    before = dict(kept._beside)

    kept.compile_beside(tmp_path / "cache", weights, 0)
    kept.compile_beside(tmp_path / "cache", tmp_path / "missing", 0)

    assert (kept._beside, compilations) == (before, [])


def test_it_loads_no_torch() -> None:
    program = "import sys, workers.engine.kept as kept; kept.openvino(); print('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
