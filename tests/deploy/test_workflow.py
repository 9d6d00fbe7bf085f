"""The workflow of GitHub: three systems, actions pinned by commit, and nothing named that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

FILE = Path(".github/workflows/ci.yml")
JOBS: dict[str, Any] = yaml.safe_load(FILE.read_text())["jobs"]


def runs(job: str) -> str:
    return "\n".join(step.get("run", "") for step in JOBS[job]["steps"])


def test_lint_tests_and_the_demo_run_on_macos_and_the_client_on_windows() -> None:
    assert {name: job["runs-on"].split("-")[0] for name, job in JOBS.items()} == {
        "check": "ubuntu",
        "macos": "macos",
        "windows": "windows",
    }
    assert [line for line in runs("macos").splitlines() if line] == [
        "brew install redis",
        *("make setup", "make lint", "make test", "make demo"),
    ]
    assert "./client" in runs("windows")
    assert "stemsvc submit" in runs("windows")
    assert all(job["timeout-minutes"] for job in JOBS.values())


def test_actions_are_pinned_by_commit_and_say_their_version() -> None:
    named = re.findall(r"uses: *(\S+)@(\S+) *(#.*)?", FILE.read_text())
    assert named
    for action, commit, comment in named:
        assert re.fullmatch(r"[0-9a-f]{40}", commit), action
        assert re.fullmatch(r"# v\d+\.\d+\.\d+", comment), action
    assert len({action for action, _, _ in named}) == len({(action, commit) for action, commit, _ in named})


def test_the_whole_history_is_there_for_the_upgrade_test() -> None:
    (checkout,) = (step for step in JOBS["check"]["steps"] if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["fetch-depth"] == 0
    assert ".ci/run" in runs("check")


def test_what_the_workflow_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text(), re.MULTILINE))
    for name in JOBS:
        assert set(re.findall(r"\bmake ([a-z-]+)", runs(name))) <= targets
        for path in re.findall(r"(?:\./|\b)((?:tests|client|\.ci)(?:/[\w./]+)?)", runs(name)):
            assert Path(path).exists(), path


def test_windows_takes_the_locks_versions() -> None:
    (pattern,) = re.findall(r"s/(.+)/\\1/p' requirements.lock", runs("windows"))
    versions = [
        found[1] for line in Path("requirements.lock").read_text().splitlines() if (found := re.match(pattern, line))
    ]
    assert len(versions) == len(re.findall(r"^[a-z0-9].*==", Path("requirements.lock").read_text(), re.MULTILINE))
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", each) for each in versions)
