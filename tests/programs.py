"""Programs that tests take from the machine: Debian's, which `.ci/run` installs."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # where Debian keeps what only root should need


def need(name: str) -> str:
    """The program's path. Without it the test is skipped, but not in CI, which has to have it."""
    return shutil.which(name, path=PATH) or absent(name)


def absent(name: str) -> NoReturn:
    """Skip the test for want of `name`; fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"CI has no {name}: see .ci/run")
    pytest.skip(f"{name} is not installed")
