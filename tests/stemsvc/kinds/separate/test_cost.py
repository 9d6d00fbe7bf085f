"""What a job will cost, what is refused for it, and how long it may run."""

from __future__ import annotations

import pytest

from stemsvc.errors import UsageError
from stemsvc.kinds.limits import LEAST_LIMIT_SECONDS, Limits
from stemsvc.kinds.separate.cost import predict_seconds
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import load_catalog

ENTRY = load_catalog().get("htdemucs")
LIMITS = Limits(track_seconds=14400, work_seconds=7200, slack=10)


def test_work_grows_with_length_overlap_shifts_and_short_segments() -> None:
    plain = predict_seconds(ENTRY, SeparationOptions(overlap=0), 100)

    assert plain == pytest.approx(100 * ENTRY.cost)
    assert predict_seconds(ENTRY, SeparationOptions(overlap=0), 200) == pytest.approx(2 * plain)
    assert predict_seconds(ENTRY, SeparationOptions(overlap=0.5), 100) == pytest.approx(2 * plain)
    assert predict_seconds(ENTRY, SeparationOptions(overlap=0, shifts=5), 100) == pytest.approx(5 * plain)
    half = SeparationOptions(overlap=0, segment=ENTRY.segment_seconds / 2)
    assert predict_seconds(ENTRY, half, 100) == pytest.approx(2 * plain)


@pytest.mark.parametrize(
    ("seconds", "options", "code"),
    [
        (14401, SeparationOptions(), "track_too_long"),
        (14400, SeparationOptions(shifts=20), "too_much_work"),
        (3600, SeparationOptions(shifts=20, overlap=0.9), "too_much_work"),
    ],
)
def test_what_can_not_end_well_is_refused(seconds: float, options: SeparationOptions, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        LIMITS.check("htdemucs", "ask for less", predict_seconds(ENTRY, options, seconds), seconds)

    assert caught.value.code == code


# On a CPU these compute longer for an hour of music than jobs may by default: whoever serves them raises that limit.
SLOW = {
    *("kim_vocal_2", "mdx_inst_hq_3", "mdx_kara_2", "mdx_karaoke"),
    *("mel_roformer_kim", "bs_roformer_viperx", "bs_roformer_6s", "mdx23c_instvoc_hq", "scnet_xl", "roformer_ft"),
}
QUICK = [name for name in load_catalog().names if name not in SLOW]


@pytest.mark.parametrize("model", QUICK)
def test_an_hour_of_music_is_taken_by_every_model(model: str) -> None:
    predicted = predict_seconds(load_catalog().get(model), SeparationOptions(), 3600)
    LIMITS.check(model, "ask for less", predicted, 3600)


def test_the_time_limit_follows_the_work_within_bounds() -> None:
    assert LIMITS.time_limit(1) == LEAST_LIMIT_SECONDS
    assert LIMITS.time_limit(600) == 6000
    assert LIMITS.time_limit(14400) == 7200
