"""Messages over what was said before: versions, references, plans, questions."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from stemsvc.assistants.chat.context import Context
from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.project import Project, plan
from stemsvc.assistants.chat.understand import Understanding, split, understand
from stemsvc.kinds.generate.kind import KIND
from stemsvc.models.catalog import load_catalog
from stemsvc.workflows.graph import read_steps

SONG = {"upload_id": "6f1ed002ab5595859014ebf0951522d9"}


def talk(*messages: str, context: Context | None = None) -> Understanding:
    """Each message confirmed by a yes, but the last."""
    now, heard = context or Context(), None
    for message in messages:
        if heard is not None and heard.context.pending is not None:
            now = understand("yes", heard.context).context
        elif heard is not None:
            now = heard.context
        heard = understand(message, now)
    assert heard is not None
    return heard


def steps(heard: Understanding) -> dict[str, dict[str, Any]]:
    assert heard.question is None, heard.question
    assert heard.plan is not None
    return {step["id"]: step for step in heard.plan["steps"]}


def test_words_become_a_workflow_that_makes_music() -> None:
    heard = talk("Create a trap beat at 140 bpm in C minor")

    (make,) = steps(heard).values()
    assert (make["do"], make["with"]["genre"], make["with"]["bpm"], make["with"]["key"]) == (
        "generate", "trap", 140, "C minor",
    )  # fmt: skip
    assert heard.plan == {"steps": [make], "outputs": ["make.mix"]}
    KIND.check(KIND.read(make["with"]), [], load_catalog())
    read_steps(heard.plan["steps"])


def test_what_follows_changes_the_version_before_and_undo_brings_it_back() -> None:
    heard = talk("a trap beat at 140", "now mute the drums and master it for streaming")

    made = steps(heard)
    assert list(made) == ["make", "mix", "master"]
    assert [track["source"] for track in made["mix"]["with"]["tracks"]] == ["make.bass", "make.other", "make.vocals"]
    assert made["make"]["with"]["stems"] is True
    assert made["master"]["with"]["preset"] == "streaming"
    assert made["master"]["inputs"] == {"source": "mix"}

    done = understand("yes", heard.context)
    assert (done.plan, len(done.context.versions)) == (heard.plan, 2)
    back = understand("undo", done.context)
    assert (back.actions, back.context.at) == ((Intent.UNDO,), 0)
    again = understand("redo", back.context)
    assert again.context.current == done.context.current


def test_several_things_are_said_in_one_message() -> None:
    heard = talk("a dark trap beat at 140, then take the drums out")

    assert [part.intent for part in heard.parts] == [Intent.CREATE, Intent.MUTE]
    assert len(steps(heard)["mix"]["with"]["tracks"]) == 3
    assert [part.intent for part in split("drums and bass louder")] == [Intent.STEM_LOUDER]
    assert [part.intent for part in split("mach die Drums leiser und mastere es für Spotify")] == [
        Intent.STEM_QUIETER, Intent.MASTER,
    ]  # fmt: skip


def test_faster_is_faster_than_what_is_there() -> None:
    beat = talk("house at 120").context
    known = replace(understand("yes", beat).context, facts={"bpm": 120.0, "key": "F minor", "duration": 30.0})

    assert steps(understand("make it faster", known))["make"]["with"]["bpm"] == 137
    assert steps(understand("langsamer", known))["make"]["with"]["bpm"] == 106
    assert steps(understand("twice as long", known))["make"]["with"]["duration"] == 60
    assert steps(understand("now in A", replace(known)))["make"]["with"]["key"] == "A minor"


def test_a_variation_is_made_of_the_score_of_its_original() -> None:
    heard = talk("techno", "different drums please", "mute the vocals")

    made = steps(heard)
    assert made["vary1"]["inputs"] == {"original": "make.score"}
    assert made["vary1"]["with"] == {"change": "drums", "seed": 1, "stems": True}
    assert made["mix"]["with"]["tracks"][0]["source"] == "vary1.drums"


def test_versions_are_named() -> None:
    three = talk("techno", "make it slower", "make it darker")
    now = understand("ok", three.context).context
    assert len(now.versions) == 3

    assert understand("use the second one", now).context.at == 1
    master = steps(understand("master the first one for the club", now))
    assert master["make"]["with"].get("mood") is None
    assert master["master"]["with"]["preset"] == "club"
    assert "3" in str(understand("use version 9", now).question)


def test_a_song_that_was_sent_is_separated_mixed_and_mastered() -> None:
    sent = Context(song=SONG)
    heard = talk("that song without vocals", context=sent)

    made = steps(heard)
    assert list(made) == ["split", "mix"]
    assert heard.plan is not None
    assert heard.plan["source"] == SONG
    assert [track["source"] for track in made["mix"]["with"]["tracks"]] == ["split.drums", "split.bass", "split.other"]
    assert steps(talk("isolate the vocals", context=sent))["split"]["with"] == {"stems": ["vocals"]}
    assert steps(talk("master it for a podcast", context=sent))["master"]["inputs"] == {"source": "source"}
    assert steps(talk("what key is it in?", context=sent))["facts"]["inputs"] == {"source": "source"}
    notes = steps(talk("transcribe the bass to midi", context=sent))["notes"]
    assert (notes["inputs"], notes["with"]) == ({"source": ["split.bass"]}, {"stems": ["bass"]})
    assert steps(talk("als Reaper-Projekt", context=sent))["project"]["with"] == {"targets": ["reaper"]}
    assert understand("make it faster", sent).question is not None


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("flurb the gnarf", "don't understand"), ("mute the drums", "Which song"),
        ("make it faster", "What shall I make"),
        ("undo", "no earlier"), ("yes", "Nothing waits"), ("mach die Drums lauter", "Welches Lied"),
        ("qwertz uiop bitte", "verstehe ich nicht"), ("a trap beat at 300 bpm", "60 to 200"),
        ("20 minutes of jazz", "5 minutes"), ("", "don't understand"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_asked_and_nothing_is_done(message: str, words: str) -> None:
    heard = understand(message, Context())
    assert heard.question is not None
    assert words in heard.question
    assert (heard.plan, heard.context) == (None, Context())


def test_a_part_that_a_piece_does_not_have_is_said() -> None:
    assert "guitar" in str(talk("a rock song", "mute the guitar").question)


def test_a_no_drops_the_plan_and_a_change_before_the_yes_changes_it() -> None:
    heard = talk("trap beat")
    assert understand("no", heard.context).context.pending is None
    changed = understand("make it 150 bpm", heard.context)
    assert steps(changed)["make"]["with"]["bpm"] == 150
    assert changed.context.versions == ()


def test_settings_of_a_stem_add_up() -> None:
    heard = talk("pop song", "vocals +2 dB", "vocals louder by 3 dB", "pan the bass left", "bring the drums back")

    tracks = {each["source"]: each for each in steps(heard)["mix"]["with"]["tracks"]}
    assert tracks["make.vocals"]["gain_db"] == 5
    assert tracks["make.bass"]["pan"] == -0.7
    assert set(tracks) == {"make.drums", "make.bass", "make.other", "make.vocals"}


def test_names_formats_and_loudness() -> None:
    heard = talk("lofi beat", "master it to -16 LUFS", "as mp3", "call it Night Drive")

    made = steps(heard)
    assert (made["master"]["with"]["loudness"], made["master"]["with"]["format"]) == (-16, "mp3")
    assert heard.plan is not None
    assert heard.plan["name"] == "Night Drive"
    louder = steps(understand("louder", understand("yes", heard.context).context))
    assert louder["master"]["with"]["loudness"] == -14


def test_the_same_message_over_the_same_context_means_the_same() -> None:
    now = talk("jazz", "another one").context
    assert understand("mute the bass", now) == understand("mute the bass", now)
    assert plan(Project(music={"genre": "jazz"})) == {
        "steps": [{"id": "make", "do": "generate", "with": {"genre": "jazz"}}],
        "outputs": ["make.mix"],
    }


def test_no_message_takes_long() -> None:
    for odd in ("\t", "a ", "an use ", "and lufs ", "; is", "mach will ", ". a "):
        text = (odd * 1000)[:999] + "x"
        began = time.perf_counter()
        understand(text, Context())
        assert time.perf_counter() - began < 5, odd  # a pattern that goes back and forth takes minutes
