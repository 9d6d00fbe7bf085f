"""Every error: its code exists once, with one kind, and survives pipes and pickles."""

from __future__ import annotations

import json
import pickle
import re

import pytest

from stemsvc import errors
from stemsvc.errors import (
    TABLE,
    FatalError,
    NotAudio,
    SourceRateLimited,
    StemsvcError,
    TransientError,
    UsageError,
    revived,
    to_wire,
)
from tests.docs_tables import README

KINDS = (UsageError, TransientError, FatalError)


@pytest.mark.parametrize("error", TABLE.values(), ids=lambda error: error.code)
def test_every_code_has_a_kind_a_status_that_fits_it_and_a_remedy(error: type[StemsvcError]) -> None:
    assert sum(issubclass(error, kind) for kind in KINDS) == 1
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    remedy = error("detail").remedy
    assert remedy[0].isupper() or remedy[0] == "`"
    assert remedy[-1] in ".?"
    if issubclass(error, UsageError):
        assert error.status is None or 400 <= error.status < 500
    elif issubclass(error, TransientError):
        assert error.status in (None, 429, 503)
    else:
        assert error.status in (None, 500)


def test_a_mistyped_code_can_not_be_raised() -> None:
    with pytest.raises(TypeError, match="no code"):
        UsageError("unknown_stm")
    assert not hasattr(errors, "UnknownStm")
    with pytest.raises(TypeError, match="exists already"):

        class NotAudio(FatalError):
            pass


@pytest.mark.parametrize("error", [NotAudio("a letter"), SourceRateLimited("busy", retry_after=3.0)])
def test_an_error_survives_pipes_and_pickles(error: StemsvcError) -> None:
    for back in (revived(json.loads(json.dumps(to_wire(error)))), pickle.loads(pickle.dumps(error))):
        assert type(back) is type(error)
        assert (back.code, back.detail, str(back)) == (error.code, error.detail, f"{error.code}: {error.detail}")
        assert getattr(back, "retry_after", None) == getattr(error, "retry_after", None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_code_of_another_release_keeps_its_name_and_kind(kind: type[StemsvcError]) -> None:
    error = revived({"kind": kind.kind, "code": "from_tomorrow", "detail": "words"})

    assert isinstance(error, kind)
    assert (error.code, error.detail, error.saying("more").code) == ("from_tomorrow", "words", "from_tomorrow")
    assert pickle.loads(pickle.dumps(error)).code == "from_tomorrow"


def test_no_error_is_raised_by_kind_alone() -> None:
    """mypy can't tell, for a base takes a detail too."""
    bare = re.compile(r"raise (?:UsageError|TransientError|FatalError|StemsvcError)\(")
    sources = [path for part in ("api", "stemsvc", "workers") for path in (README.parent / part).rglob("*.py")]
    assert [path.name for path in sources if bare.search(path.read_text())] == []
