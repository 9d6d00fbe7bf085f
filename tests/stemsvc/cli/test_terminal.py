"""How things are shown: a table on a terminal that is wide enough, plain text elsewhere; nothing is cut."""

from __future__ import annotations

import sys

import pytest

from stemsvc.cli.terminal import Column, Listing

ID = "0123456789abcdef" * 2


def listing() -> Listing:
    made = Listing("id", "name", Column("jobs", right=True))
    made.add(ID, "a [red]song[/red]\x1b[31m\u202e", 7)
    made.add(ID, "\u2713 m\u00e9lange\nand more", None)
    return made


def test_plain_text_is_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    listing().show()
    head, first, second = capsys.readouterr().out.splitlines()

    assert head.split() == ["id", "name", "jobs"]
    assert first == f"{ID}  a [red]song[/red]\ufffd[31m\ufffd     7"
    assert second == f"{ID}  \u2713 m\u00e9lange, and more"


@pytest.mark.parametrize("columns", [20, 60, 200])
def test_a_terminal_never_gets_a_cut_id(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    listing().show()
    shown = capsys.readouterr().out

    assert shown.count(ID) == 2
    assert "[red]song[/red]" in shown
    assert "\x1b[31m" not in shown
    assert ("\u2502" in shown) == (columns == 200)
