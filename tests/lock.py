"""`python -m tests.lock`: writes the lock files: the versions that are installed, and the hashes of all their files.

uv resolves them for every platform at once, and gets from the index the hash of each file that was published. With
`--upgrade` it takes the newest versions that pyproject.toml allows; install the result and run the tests before you
commit it.

torch's CUDA libraries stand in a lock of their own, because torch for CPUs needs none of them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
EVERYTHING = "requirements.lock"
# Each lock file and the extras whose packages it lists. The others take their versions from the first one.
LOCKS = {
    EVERYTHING: ("api", "worker", "embedded", "flower", "mcp", "chat", "musicgen", "train", "dev"),
    "deploy/api.lock": ("api", "chat", "flower"),
    "deploy/worker.lock": ("worker",),
}
CUDA = "deploy/cuda.lock"
TORCH_FOR_CPUS = "deploy/torch-cpu.lock"
FOR_CUDA = re.compile(r"nvidia-.*|cuda-.*|triton")
HEAD = "# {what}. Written by `make lock`; docs/contribute.md says how.\n"
_PINNED = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?")


class LockError(Exception):
    """Raised where a lock can't be written or read; the text says why."""


@dataclass(frozen=True)
class Pin:
    """One version of a package, where it is needed (empty: everywhere), and the SHA-256 of each of its files."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def lines(self) -> str:
        """As pip reads it."""
        where = f" ; {self.marker}" if self.marker else ""
        return " \\\n".join(
            [f"{self.name}=={self.version}{where}", *(f"    --hash=sha256:{each}" for each in self.hashes)]
        )


def read(text: str) -> list[Pin]:
    """The pins of a lock file. Raises `LockError` for a line that is none."""
    pins: list[Pin] = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if found := re.fullmatch(r"\s+--hash=sha256:([0-9a-f]{64})\s*\\?", line):
            last = pins.pop()
            pins.append(Pin(last.name, last.version, last.marker, (*last.hashes, found[1])))
        elif pinned := _PINNED.fullmatch(line):
            pins.append(Pin(normal(pinned["name"]), pinned["version"], (pinned["marker"] or "").strip(), ()))
        else:
            raise LockError(f"{line!r} is no pin")
    return pins


def normal(name: str) -> str:
    """The name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def torch_wheels(version: str) -> tuple[str, ...]:
    """The hashes of that version's wheels that are not on PyPI. Raises `LockError` where none is noted."""
    (pin,) = read((ROOT / TORCH_FOR_CPUS).read_text())
    if pin.version.partition("+")[0] != version:
        raise LockError(f"{TORCH_FOR_CPUS} has torch {pin.version}, not {version}: its index's page names the hashes")
    return pin.hashes


def main() -> int:
    """Write every lock file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of those installed")
    upgrade = parser.parse_args().upgrade
    known = {} if upgrade else _installed()
    cuda: dict[str, Pin] = {}
    for path, extras in LOCKS.items():
        pins = _resolved(extras, known)
        if path == EVERYTHING:
            known = {pin.name: pin.version for pin in pins}
        cuda |= {pin.name: pin for pin in pins if FOR_CUDA.fullmatch(pin.name)}
        mine = [_with_all_wheels(pin) for pin in pins if pin.name not in cuda]
        _write(path, f"The packages of stemsvc[{','.join(extras)}]", mine)
    _write(CUDA, "What torch for CUDA needs beside the packages of the other locks", cuda.values())
    return 0


def _installed() -> dict[str, str]:
    """The versions in this environment, without the local labels of builds such as `+cpu`."""
    found = {normal(each.metadata["Name"]): each.version.partition("+")[0] for each in metadata.distributions()}
    return {name: version for name, version in found.items() if name not in ("stemsvc", "pip")}


def _resolved(extras: Iterable[str], known: dict[str, str]) -> list[Pin]:
    with tempfile.TemporaryDirectory() as folder:
        constraints, build, answer = (Path(folder) / name for name in ("constraints.txt", "build.txt", "answer.txt"))
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in sorted(known.items())))
        build.write_text("\n".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]))
        wanted = [part for extra in extras for part in ("--extra", extra)]
        command = [
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "pyproject.toml", *wanted),
            *("--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header"),
            *("--constraint", str(constraints), "--output-file", str(answer), str(build)),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LockError(done.stderr.strip())
        return [replace(pin, marker=_short(pin.marker)) for pin in read(answer.read_text())]


def _short(marker: str) -> str:
    """The marker without what uv says of every pin: that it is for the environments of pyproject.toml."""
    rest = marker.removeprefix("python_full_version >= '3.11.5' and python_full_version < '3.14'").removeprefix(" and ")
    return (
        ""
        if rest == "((platform_machine == 'arm64' and sys_platform == 'darwin') or sys_platform == 'linux')"
        else rest
    )


def _with_all_wheels(pin: Pin) -> Pin:
    if pin.name != "torch":
        return pin
    return Pin(pin.name, pin.version, pin.marker, tuple(sorted({*pin.hashes, *torch_wheels(pin.version)})))


def _write(path: str, what: str, pins: Iterable[Pin]) -> None:
    (ROOT / path).write_text(HEAD.format(what=what) + "".join(f"{pin.lines()}\n" for pin in pins))
    print(f"{path} is written")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LockError as error:
        sys.exit(f"{error}")
