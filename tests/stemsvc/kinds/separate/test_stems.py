"""Names of what a job can return, and what must be separated for it."""

from __future__ import annotations

import pytest

from stemsvc.errors import UsageError
from stemsvc.kinds.separate import stems

FOUR = ("drums", "bass", "other", "vocals")


def test_nothing_named_is_every_stem() -> None:
    assert stems.choose((), FOUR) == FOUR


def test_outputs_come_in_the_models_order_and_once() -> None:
    wanted = ("minus_bass", "vocals", "no_vocals", "drums", "vocals")

    assert stems.choose(wanted, FOUR) == ("drums", "vocals", "no_vocals", "minus_bass")


@pytest.mark.parametrize(
    ("names", "needed"),
    [
        (("vocals",), ("vocals",)),
        (("minus_vocals",), ("vocals",)),
        (("no_vocals",), ("drums", "bass", "other")),
        (("no_vocals", "vocals"), FOUR),
        (("minus_bass", "drums"), ("drums", "bass")),
    ],
)
def test_only_the_stems_that_an_output_is_made_of_are_needed(names: tuple[str, ...], needed: tuple[str, ...]) -> None:
    assert stems.needed(names, FOUR) == needed


@pytest.mark.parametrize("name", ["kazoo", "no_kazoo", "minus_", "no_no_vocals", "", "Vocals"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        stems.choose((name,), FOUR)
    assert caught.value.code == "unknown_stem"


def test_a_model_of_one_stem_has_nothing_but_it() -> None:
    assert stems.names(("vocals",)) == ("vocals",)


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        (("vocals", "no_vocals"), True),
        (("vocals", "minus_vocals"), True),
        (("vocals", "drums"), True),
        (("no_vocals", "drums"), False),
        (("minus_vocals", "no_drums"), False),
        (("minus_vocals",), True),
    ],
)
def test_files_that_overlap_can_have_no_residual(names: tuple[str, ...], fits: bool) -> None:
    assert stems.choose(names, FOUR)  # without a residual anything goes
    if fits:
        stems.choose(names, FOUR, residual=True)
        return
    with pytest.raises(UsageError) as caught:
        stems.choose(names, FOUR, residual=True)
    assert caught.value.code == "overlapping_stems"
