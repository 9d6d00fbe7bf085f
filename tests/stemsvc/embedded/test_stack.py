"""What `up` makes of the machine that it runs on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stemsvc.embedded import background, machine
from stemsvc.embedded.stack import pools_of
from stemsvc.kinds.registry import configured_pools
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings


def devices(settings: Settings, *found: str) -> list[str]:
    """The devices of the pools, in order, on a machine with what is found."""
    pools = configured_pools(pools_of(settings, lambda: list(found)), load_catalog())
    return list(dict.fromkeys(pool.device for pool in pools))


def test_up_uses_the_gpus_that_torch_finds_and_the_cpu_for_who_asks_for_it(settings: Settings) -> None:
    assert devices(settings, "cpu") == ["cpu"]
    assert devices(settings, "cuda", "cpu") == ["cuda", "cpu"]
    assert devices(settings, "cuda:0", "cuda:1", "cpu") == ["cuda:0", "cuda:1", "cpu"]
    assert devices(settings, "mps", "cpu") == ["mps", "cpu"]


def test_pools_that_somebody_set_are_those(settings: Settings) -> None:
    assert devices(Settings(data_dir=settings.data_dir, pools="demo:cpu"), "cuda", "cpu") == ["cpu"]
    assert devices(Settings(data_dir=settings.data_dir, pools="*:cpu"), "cuda", "cpu") == ["cpu"]


def test_torch_is_asked_in_a_process_of_its_own() -> None:
    assert machine.find_devices()[-1] == "cpu"


def test_a_machine_that_can_not_tell_has_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    assert machine.find_devices() == ["cpu"]


def test_what_starts_up_leaves_open_what_was_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Started(Exception):
        pass

    seen: list[dict[str, str]] = []

    def popen(command: list[str], env: dict[str, str], **_: object) -> None:
        seen.append(env)
        raise Started

    monkeypatch.setattr(subprocess, "Popen", popen)
    for settings in (Settings(data_dir=tmp_path), Settings(data_dir=tmp_path, pools="*:cpu")):
        with pytest.raises(Started):
            background.start(settings)

    assert ["STEMSVC_POOLS" in environment for environment in seen] == [False, True]
