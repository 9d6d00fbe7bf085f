"""The page has words and an action for each error code that docs/errors.md lists."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs_tables import own_errors

WORDS = Path(__file__).parents[2] / "api" / "web" / "src" / "problems"
ENTRY = re.compile(r"^  (\w+): words\(\s*\"(\w+)\",\s*\"[^\"]+\",\s*\"[^\"]+\",?\s*\)", re.MULTILINE)


def test_page_has_words_in_both_languages_for_each_code_and_for_no_other() -> None:
    entries = [found for each in WORDS.glob("*.ts") for found in ENTRY.findall(each.read_text())]
    codes = [code for code, _ in entries if code not in {"network_error", "upload_failed"}]  # which the browser meets

    assert sorted(codes) == sorted(own_errors())


def test_each_action_is_one_that_the_page_can_offer() -> None:
    known = set(re.findall(r'^  \| "(\w+)"', (WORDS / "words.ts").read_text(), re.MULTILINE))
    used = {action for each in WORDS.glob("*.ts") for _, action in ENTRY.findall(each.read_text())}

    assert used <= known
    assert "retry" in known
