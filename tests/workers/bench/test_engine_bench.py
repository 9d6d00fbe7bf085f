"""`stemsvc bench engine`: it measures, says which bar is missed, and runs on a bare GPU machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from stemsvc.settings import Settings
from tests.bench import cuda_families
from tests.processes import stemsvc
from workers.bench.table import Figure, in_turn, render

ROOT = Path(__file__).parents[3]
SMALL = ("bench", "engine", "--size", "small", "--seconds", "2", "--repeats", "1")


def missed(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The figures that missed their bar, after a check that table, last line and exit status tell the same."""
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    found = [row.split(" | ")[0].removeprefix("| ") for row in rows if "| MISSED |" in row]
    named = re.findall(r"^missed: (.*)$", done.stderr, re.MULTILINE)
    assert (done.returncode, named) == ((1, ["; ".join(found)]) if found else (0, [])), done.stderr
    assert rows
    return found


@pytest.mark.long
def test_every_part_is_measured(tmp_path: Path, settings: Settings) -> None:
    command = stemsvc(*SMALL, "--track", "2", "--long", "4", "--output", str(tmp_path / "table.md"))
    command += ["--cache", str(tmp_path / "cache")]
    done = subprocess.run(command, env=settings.environment(), capture_output=True, text=True, check=False)

    assert "CPU fp32: least stem against upstream" not in missed(done)
    assert {row.split(" | ")[0] for row in done.stdout.splitlines() if " dB |" not in row} >= {
        "| CPU: ours / upstream",
        "| HTDemucs: arithmetic of a pass",
        "| HTDemucs: fraction of the sgemm peak",
        "| BS-RoFormer: fraction of the sgemm peak",
        "| Mel-Band RoFormer: fraction of the sgemm peak",
        "| job of 3 s: time beside the separation",
        "| jobs of 3 s: share of the engine's rate",
        "| htdemucs_ft's size, one stem: ours / upstream",
        "| file to flac stems: ours / upstream",
        "| job wall time / separation alone",
        "| engine beside 4 processes: time / that of its share",
        "| Mel-Band RoFormer beside 1 processes: time / that of its share",
        "| idle engine: share of a core (HTDemucs, in OpenVINO)",
        "| cold `separate` of 10 s",
        "| worker ready",
        "| peak memory, long less short track",
    }
    assert (tmp_path / "table.md").read_text() in done.stdout


def test_what_openvino_can_t_be_limited_to_is_refused(settings: Settings) -> None:
    command = stemsvc(*SMALL, "--instructions", "avx2")
    done = subprocess.run(command, env=settings.environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "--only roformers" in done.stderr


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with torch, numpy, demucs, what these need, and nothing else but this project."""
    folder = tmp_path_factory.mktemp("bare")
    wanted, seen = ["torch", "numpy", "demucs"], {"stemsvc"}
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        for line in metadata.requires(name) or []:
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                wanted.append(need.name)
    for name in seen:
        for file in metadata.files(name) or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))
    return folder


def on_bare(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{bare}{os.pathsep}{ROOT}"}
    environment.pop("COVERAGE_PROCESS_START", None)  # coverage is not there either
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    command = [sys.executable, "-S", "-m", "stemsvc", *arguments]
    return subprocess.run(command, cwd=bare, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_a_bare_machine_runs_the_figures(bare: Path) -> None:
    absent = [sys.executable, "-S", "-c", "import pydantic"]
    assert subprocess.run(absent, env={"PYTHONPATH": str(bare)}, capture_output=True, check=False).returncode == 1

    done = on_bare(bare, *SMALL, "--only", "engine")
    assert "CPU fp32: least stem against upstream" not in missed(done)


@pytest.mark.long
def test_the_families_figures_of_a_card_are_made_on_a_cpu_too() -> None:
    made = list(cuda_families.figures("cpu", 0.6, 1, lambda text: None))

    assert len(made) == 2 * len(cuda_families.FAMILIES) >= 14
    assert [figure.name for figure in made if not figure.met] == []


def test_cuda_where_there_is_none_is_an_error(bare: Path) -> None:
    done = on_bare(bare, "bench", "engine", "--device", "cuda")

    assert done.returncode == 1
    assert done.stderr.startswith("stemsvc: no_device: ")


def test_a_bar_is_met_or_missed_and_nan_meets_none() -> None:
    at_most = Figure("a", "", 0.75, bar=0.75)
    at_least = Figure("b", "", 59.9, " dB", bar=60, floor=True)

    assert at_most.met
    assert not at_least.met
    assert not Figure("c", "", float("nan"), bar=1.0).met
    assert Figure("d", "", 123.0).met
    assert render([at_most, at_least]).splitlines()[2:] == [
        "| a | 0.75 | ≤ 0.75 |  | met |  |",
        "| b | 59.9 dB | ≥ 60 dB |  | MISSED |  |",
    ]


def test_runs_take_turns() -> None:
    order: list[str] = []
    took = in_turn(2, lambda text: None, ours=lambda: order.append("o"), theirs=lambda: order.append("t"))

    assert order == ["o", "t"] * 3
    assert list(took) == ["ours", "theirs"]
