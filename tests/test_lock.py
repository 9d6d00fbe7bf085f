"""The lock files: whole, in agreement with each other and with what we ask for, and nothing but they is installed."""

from __future__ import annotations

import os
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.lock import CUDA, EVERYTHING, FOR_CUDA, LOCKS, LockError, Pin, normal, read, torch_wheels
from tests.processes import plain_environment
from tests.sbom import installed

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())
PINS = {path: {pin.name: pin for pin in read(Path(path).read_text())} for path in (*LOCKS, CUDA)}
WHOLE = PINS[EVERYTHING]


def asked(extras: tuple[str, ...]) -> list[Requirement]:
    """What our package asks for with these extras, and what builds it."""
    of_extras = [each for extra in extras for each in PROJECT["project"]["optional-dependencies"][extra]]
    every = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"], *of_extras]
    return [Requirement(each) for each in every]


@pytest.mark.parametrize("path", PINS)
def test_every_pin_has_hashes_and_stands_once(path: str) -> None:
    pins = read(Path(path).read_text())
    assert len({pin.name for pin in pins}) == len(pins) > 5
    assert [pin.name for pin in pins if not pin.hashes] == []
    assert "".join(f"{pin.lines()}\n" for pin in pins) == Path(path).read_text().partition("\n")[2]


@pytest.mark.parametrize(("path", "extras"), LOCKS.items())
def test_a_lock_has_what_we_ask_for(path: str, extras: tuple[str, ...]) -> None:
    for each in asked(extras):
        pin = PINS[path][normal(each.name)]
        assert each.specifier.contains(pin.version, prereleases=True), (each, pin.version)


def test_the_locks_agree() -> None:
    def files(pin: Pin | None) -> tuple[str, ...]:
        return (pin.version, *pin.hashes) if pin else ()

    for path in LOCKS:  # where a package is needed depends on what else is installed
        for name, pin in PINS[path].items():
            assert files(WHOLE.get(name)) == files(pin), (path, name)


def test_only_torch_for_cuda_needs_what_cuda_needs() -> None:
    assert [name for path in LOCKS for name in PINS[path] if FOR_CUDA.fullmatch(name)] == []
    assert all(FOR_CUDA.fullmatch(name) for name in PINS[CUDA])
    assert all("linux" in pin.marker.lower() for pin in PINS[CUDA].values())


def test_torch_may_come_from_each_index() -> None:
    torch = WHOLE["torch"]
    assert set(torch_wheels(torch.version)) < set(torch.hashes)
    assert "+" not in torch.version
    with pytest.raises(LockError):
        torch_wheels("0.0.1")


def test_the_api_gets_nothing_that_only_workers_need() -> None:
    assert not {"torch", "demucs", "av", "numpy", "soxr"} & set(PINS["deploy/api.lock"])
    assert not {"flask", "gunicorn"} & set(PINS["deploy/worker.lock"])


def test_what_is_installed_here_is_in_the_lock() -> None:
    ours = {name: version for name, version in installed().items() if name not in ("stemsvc", "pip")}
    ours = {name: version for name, version in ours.items() if not name.startswith("stemsvc-")}  # tests/plugin
    assert {name: WHOLE[name].version if name in WHOLE else None for name in ours} == ours


def test_a_line_that_is_no_pin_is_seen() -> None:
    assert read("a-b==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:" + "0" * 64) == [
        Pin("a-b", "1.0", "sys_platform == 'win32'", ("0" * 64,))
    ]
    for line in ("a>=1", "-r other.txt", "a @ file:///x", "--index-url x"):
        with pytest.raises(LockError):
            read(line)


def wheel(folder: Path, name: str) -> Path:
    """A package of one empty module."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    return path


@pytest.mark.long
@pytest.mark.parametrize("lock", ["swapped==1.0 \\\n    --hash=sha256:" + "0" * 64, "swapped==1.0", "swapped"])
def test_a_file_that_the_lock_does_not_know_is_not_installed(tmp_path: Path, lock: str) -> None:
    wheel(tmp_path, "swapped")
    (tmp_path / "the.lock").write_text(lock + "\n")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        ["deploy/install.sh", tmp_path / "venv", tmp_path / "the.lock"],
        env=plain_environment(**offline),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "hash" in done.stderr.lower()
    assert not list((tmp_path / "venv").rglob("swapped*"))
