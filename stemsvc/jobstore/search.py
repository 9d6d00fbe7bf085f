"""Finds words in text without regard to case: in every alphabet, and alike on SQLite and PostgreSQL.

Neither's own comparison does: SQLite folds the case of ASCII alone, PostgreSQL what its locale knows. So each letter is
looked for in all its forms, by the patterns that both take: `GLOB` and regular expressions.
"""

from __future__ import annotations

import string
import unicodedata
from typing import Any

import sqlalchemy as sa

MOST_WORDS = 10


def has_words(column: sa.ColumnElement[Any], text: str, dialect: str) -> list[sa.ColumnElement[bool]]:
    """The conditions that the column has each word of the text. `dialect` is the database's, as SQLAlchemy names it."""
    words = unicodedata.normalize("NFC", text).split()[:MOST_WORDS]
    if dialect == "sqlite":
        return [column.op("GLOB")(f"*{''.join(map(_glob, word))}*") for word in words]
    return [column.op("~")("".join(map(_regex, word))) for word in words]


def _glob(letter: str) -> str:
    forms = _forms(letter)
    return f"[{forms}]" if len(forms) > 1 or letter in "*?[" else letter


def _regex(letter: str) -> str:
    forms = _forms(letter)
    return f"[{forms}]" if len(forms) > 1 else f"\\{letter}" if letter in string.punctuation else letter


def _forms(letter: str) -> str:
    """The letter in each case. Forms that are several letters, such as SS for ß, are left out: a pattern has one."""
    forms = {letter, letter.lower(), letter.upper(), letter.title(), letter.casefold()}
    return "".join(sorted(each for each in forms if len(each) == 1))
