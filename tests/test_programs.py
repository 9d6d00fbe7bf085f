"""A test that lacks a program is skipped where somebody develops, and fails in CI."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import programs

TESTS = Path(__file__).parent


def test_a_program_that_is_there_is_found() -> None:
    assert Path(programs.need("sh")).exists()


@pytest.mark.parametrize(
    ("ci", "outcome", "words"),
    [("", pytest.skip.Exception, "no-such-program is not installed"), ("true", pytest.fail.Exception, ".ci/run")],
)
def test_what_is_absent_is_a_failure_in_ci_alone(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException], words: str
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=words):
        programs.need("no-such-program")


def test_no_test_looks_for_programs_by_itself_and_skips() -> None:
    """`tests.programs` decides for all: another way would be silent in CI."""
    looking = re.compile(r"skipif\([^)]*\b(?:which\(|CHROMIUM|EXPORT)")
    files = [path for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    assert [path for path in files if looking.search(path.read_text())] == []
