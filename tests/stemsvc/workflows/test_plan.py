"""Which jobs come of a graph, what each gets, and what each graph is told that can't be done."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.cli.specifying import specifier
from stemsvc.errors import BadOptions, BadWorkflow, UnknownStem
from stemsvc.models.catalog import load_catalog
from stemsvc.workflows.graph import read_steps
from stemsvc.workflows.plan import PlannedJob, Wanted, check_outputs, planned

STEMS = ("drums", "bass", "other", "vocals")
SPLIT: dict[str, Any] = {"id": "split", "do": "separate", "with": {"model": "demo"}}
AGAIN: dict[str, Any] = {"id": "again", "do": "separate", "inputs": {"source": "split.vocals"}}
BEATS: dict[str, Any] = {"id": "beats", "do": "analyze", "with": {"click": "alone"}}
MIX: dict[str, Any] = {"id": "sum", "do": "mix"}


def plan(*steps: dict[str, Any], sources: int = 1, most: int = 5000) -> list[PlannedJob]:
    specify = specifier(load_catalog(None, "demo"))
    return planned(read_steps(list(steps)), sources, specify, most)


def mix(*tracks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**MIX, "with": {"tracks": list(tracks)}, **more}


def test_jobs_get_their_sources_and_what_others_make() -> None:
    first, second = plan(SPLIT, AGAIN)
    assert first.inputs == (Wanted("source", source=0),)
    assert second.inputs == (Wanted("source", job=0, output="vocals"),)
    assert first.spec.params["stems"] == list(STEMS)  # the kind has filled in what was left open


def test_a_step_for_each_source_is_done_as_often_and_its_followers_go_with_it() -> None:
    jobs = plan({**SPLIT, "for_each": "sources"}, {**AGAIN, "for_each": "sources"}, sources=3)
    assert [job.name for job in jobs] == ["split[0]", "split[1]", "split[2]", "again[0]", "again[1]", "again[2]"]
    assert [job.inputs[0].source for job in jobs[:3]] == [0, 1, 2]
    assert [job.inputs[0].job for job in jobs[3:]] == [0, 1, 2]
    assert jobs[0].spec is jobs[2].spec


def test_tracks_of_a_mix_are_outputs_each_with_its_settings() -> None:
    tracks = ({"source": "split.vocals", "gain_db": 2}, {"source": "source", "name": "song", "pan": -1})
    _, job = plan(SPLIT, mix(*tracks))
    assert job.inputs == (Wanted("track", job=0, output="vocals"), Wanted("track", source=0))
    found = [(track["name"], track["gain_db"], track["pan"]) for track in job.spec.params["tracks"]]
    assert found == [("vocals", 2, 0), ("song", 0, -1)]


@pytest.mark.parametrize("how", [mix({"source": "split", "gain_db": -1}), {**MIX, "inputs": {"track": "split"}}])
def test_a_whole_step_becomes_a_track_for_each_of_its_sounds(how: dict[str, Any]) -> None:
    _, job = plan(SPLIT, how)
    assert [each.output for each in job.inputs] == list(STEMS)
    assert [track["name"] for track in job.spec.params["tracks"]] == list(STEMS)


def test_a_step_is_done_for_each_sound_of_another() -> None:
    minus = {**mix({"source": "others"}, {"source": "beats.click", "gain_db": -6}), "id": "minus", "for_each": "split"}
    loud = {"id": "loud", "do": "master", "for_each": "split", "inputs": {"source": "minus"}}
    both = {"id": "both", "do": "export", "inputs": {"source": "loud"}}
    jobs = {job.name: job for job in plan(SPLIT, BEATS, minus, loud, both)}
    assert [*jobs] == ["split", "beats", *(f"minus[{s}]" for s in STEMS), *(f"loud[{s}]" for s in STEMS), "both"]
    inputs = jobs["minus[bass]"].inputs
    assert [(each.job, each.output) for each in inputs] == [(0, "drums"), (0, "other"), (0, "vocals"), (1, "click")]
    assert [track["gain_db"] for track in jobs["minus[bass]"].spec.params["tracks"]] == [0, 0, 0, -6]
    assert jobs["loud[bass]"].inputs == (Wanted("source", job=3, output="mix"),)
    assert [each.job for each in jobs["both"].inputs] == [6, 7, 8, 9]


def test_it_is_done_so_for_each_song() -> None:
    split = {**SPLIT, "for_each": "sources", "with": {"model": "demo", "stems": ["vocals", "drums"]}}
    solo = {"id": "solo", "do": "master", "for_each": "split", "inputs": {"source": "each"}}
    jobs = plan(split, solo, sources=2)
    assert [job.name for job in jobs[2:]] == ["solo[0][drums]", "solo[0][vocals]", "solo[1][drums]", "solo[1][vocals]"]
    assert [(each.job, each.output) for job in jobs[2:] for each in job.inputs] == [
        (0, "drums"),
        (0, "vocals"),
        (1, "drums"),
        (1, "vocals"),
    ]


def test_of_several_formats_the_best_goes_on() -> None:
    split = {**SPLIT, "with": {"model": "demo", "stems": "vocals, drums", "formats": ["mp3", "flac"]}}
    _, notes, again = plan(split, {"id": "notes", "do": "transcribe", "inputs": {"source": "split"}},
                           {**AGAIN, "inputs": {"source": "split.vocals.mp3"}})  # fmt: skip
    assert [each.output for each in notes.inputs] == ["drums.flac", "vocals.flac"]
    assert again.inputs[0].output == "vocals.mp3"


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (
            (SPLIT, {**AGAIN, "inputs": {"source": "split.flute"}}),
            "steps[1].inputs.source: split has no output 'flute'",
        ),
        ((SPLIT, {**AGAIN, "inputs": {"source": "split"}}), "steps[1].inputs.source: split has several outputs: name"),
        (({**SPLIT, "inputs": {}},), "steps[0].inputs.source: separate takes 1 of the role source, not 0"),
        ((mix(),), "steps[0].inputs.track: mix takes 1 to 100 of the role track, not 0"),
        ((mix({"source": "source", "pan": "left"}),), "steps[0].with.tracks.pan: "),
        ((mix({"source": "source", "loud": True}),), "steps[0].with.tracks[0].loud: Unknown field."),
        (({**SPLIT, "with": {"shifts": "two"}},), "steps[0].with.shifts: "),
        (({**SPLIT, "with": {"file": "x"}},), "steps[0].with.file: a step has no file of its own"),
        (({**SPLIT, "with": {"source": {"url": "http://a/b"}}},), "steps[0].with.source: a step has no source"),
        (({**SPLIT, "with": {"webhook_url": "http://a/b"}},), "steps[0].with.webhook_url: a step has no webhook_url"),
        ((SPLIT, {**AGAIN, "for_each": "split", "inputs": {"source": "split.flute"}}), "has no output 'flute'"),
        (
            ({"id": "notes", "do": "transcribe"}, {**AGAIN, "for_each": "notes", "inputs": {"source": "each"}}),
            "steps[1].for_each: which audio notes makes is known only when it is done",
        ),
        (
            ({**SPLIT, "with": {"stems": ["drums"]}}, {**mix({"source": "others"}), "for_each": "split"}),
            "steps[1].with.tracks[0].source: split makes drums alone, and no others",
        ),
    ],
)
def test_what_can_t_be_done_is_told_by_its_path(steps: tuple[dict[str, Any], ...], words: str) -> None:
    with pytest.raises(BadWorkflow) as caught:
        plan(*steps)
    assert words in caught.value.detail


def test_what_a_kind_says_comes_with_the_path_and_keeps_its_code() -> None:
    with pytest.raises(UnknownStem, match=r"steps\[0\]\.with: the model has no 'flute'"):
        plan({**SPLIT, "with": {"stems": ["flute"], "model": "demo"}})
    with pytest.raises(BadOptions, match=r"steps\[0\]\.with: tracks\[0\]\.gain_db is 99"):
        plan(mix({"source": "source", "gain_db": 99}))


def test_a_step_that_is_done_once_takes_one_source_unless_it_takes_several() -> None:
    with pytest.raises(BadWorkflow, match="separate takes 1 of the role source, not 2; with `for_each: sources`"):
        plan(SPLIT, sources=2)
    assert [each.source for each in plan(mix({"source": "source"}), sources=3)[0].inputs] == [0, 1, 2]


def test_a_workflow_has_so_many_jobs_and_no_more() -> None:
    with pytest.raises(BadWorkflow, match=r"steps\[0\]: with it the workflow has more than 2 jobs"):
        plan({**SPLIT, "for_each": "sources"}, sources=3, most=2)


def test_wanted_outputs_are_those_of_steps() -> None:
    given = [SPLIT, {**AGAIN, "when": False}, {"id": "solo", "do": "master", "for_each": "split",
                                              "inputs": {"source": "each"}}]  # fmt: skip
    jobs = plan(*given)
    check_outputs(["split", "split.bass", "again.vocals", "solo", "solo.master", "solo[bass].master"], given, jobs)
    for wrong, words in (
        ("spilt", r"outputs\[0\]: it must be one of split, again, solo"),
        ("split.flute", r"outputs\[0\]: split makes drums, bass"),
        ("solo[flute]", r"outputs\[0\]: solo is not done for \[flute\]"),
        (".x", r"outputs\[0\]: it must be one of"),
    ):
        with pytest.raises(BadWorkflow, match=words):
            check_outputs([wrong], given, jobs)
