"""The folder with npm's packages, in this user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

HERE = Path(__file__).parent
OPENAPI = HERE.parents[1] / "api" / "openapi.json"
PACKAGES = ("package.json", "package-lock.json", ".npmrc")


def has_node() -> bool:
    """Whether there is a Node to run them. Where CI is set there must be one."""
    return bool(os.environ.get("CI")) or shutil.which("npm") is not None


def installed() -> Path:
    """The folder of the installed packages; npm fetches them where they are not there yet."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in PACKAGES)).hexdigest()
    folder = user_cache_path("stemsvc") / "clients" / digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "whole").exists():
            for name in PACKAGES:
                shutil.copy(HERE / name, folder)
            subprocess.run(["npm", "ci"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            (folder / "whole").touch()
    return folder


def run(folder: Path, *command: str, **environment: str) -> str:
    """Run a packages' program in `folder`; returns what it prints. Fails with all of that where it fails."""
    program, *arguments = command
    path = installed() / "node_modules" / ".bin" / program
    done = subprocess.run(
        [str(path) if path.exists() else program, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-6000:]}"
    return done.stdout
