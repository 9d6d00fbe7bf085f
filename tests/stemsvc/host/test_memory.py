"""Memory that is free for a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from stemsvc.host.memory import GROUPS, available, resident


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MACHINE = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    4000 kB\n"}


def test_a_machine_tells_what_is_available(tmp_path: Path) -> None:
    assert available(write(tmp_path, MACHINE)) == 4000 << 10


@pytest.mark.parametrize("group", GROUPS)
def test_a_container_s_limit_counts_where_it_is_lower(tmp_path: Path, group: tuple[str, str, str, str]) -> None:
    folder, limit, usage, cache = group
    files = {f"{folder}/{limit}": "3000000\n", f"{folder}/{usage}": "2500000\n"}
    write(tmp_path, {**MACHINE, **files, f"{folder}/memory.stat": f"anon 1\n{cache} 200000\n"})

    assert available(tmp_path) == 700_000


def test_a_container_without_a_limit_has_the_machine_s(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "5\n"}

    assert available(write(tmp_path, {**MACHINE, **files})) == 4000 << 10


def test_where_nobody_knows_there_is_no_answer(tmp_path: Path) -> None:
    assert available(tmp_path) is None
    assert resident(tmp_path) is None


def test_this_process_holds_some() -> None:
    assert (resident() or 0) > 1 << 20
