"""Names: what of a client's name stays, what a download is called, and that every file system takes it."""

from __future__ import annotations

import pytest

from stemsvc.errors import UsageError
from stemsvc.jobs.encoding import EXTENSIONS
from stemsvc.jobs.filenames import (
    ENDINGS,
    archive_filename,
    check_template,
    clean_filename,
    manifest_filename,
    output_filename,
    shortened,
    stem_filename,
    without_ending,
)
from stemsvc.jobs.record import JobState
from tests.specs import job_of, spec_of

FAMILY = "👨‍👩‍👧‍👦"
ENGLAND = "🏴󠁧󠁢󠁥󠁮󠁧󠁿"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("song.mp3", "song.mp3"),
        ("../../etc/passwd", "passwd"),
        ("C:\\music\\song.mp3", "song.mp3"),
        ("a\x00b\r\n\u202ec.wav", "abc.wav"),
        ('what? "this" <is>*.flac', "what_ _this_ _is__.flac"),
        ("..", "track"),
        ("", "track"),
        ("Ärger über 音楽.ogg", "Ärger über 音楽.ogg"),
        # what is part of the writing stays
        ("می\u200cخواهم.mp3", "می\u200cخواهم.mp3"),
        ("क्\u200dष.mp3", "क्\u200dष.mp3"),
        ("ന്\u200d.mp3", "ന്\u200d.mp3"),
        (f"{FAMILY} ❤\ufe0f\u200d🔥 👩🏽\u200d🚀.wav", f"{FAMILY} ❤\ufe0f\u200d🔥 👩🏽\u200d🚀.wav"),
        (f"{ENGLAND} till we die.mp3", f"{ENGLAND} till we die.mp3"),
        ("\u0600\u0661.mp3", "\u0600\u0661.mp3"),
        ("\U0001fae8.mp3", "\U0001fae8.mp3"),  # younger than the oldest Python that we run on
        ("e\u0301.mp3", "é.mp3"),
        # and what is none goes: bidirectional marks, joiners of nothing, zero-width spaces, line separators
        ("a\u200eb\u200fc\u061cd\u2066e\u2069.mp3", "abcde.mp3"),
        ("\u200da\u200d.mp3", "a.mp3"),
        ("a\u200d\u200db\u200c c.mp3", "ab c.mp3"),
        ("a\u200bb\ufeffc\u00add\u2028e\ufffe.mp3", "abcde.mp3"),
        ("\U000e0067\U000e007fflag.mp3", "flag.mp3"),
        ("\udcff\ud800song.mp3", "song.mp3"),
        # Windows
        ("CON.mp3", "_CON.mp3"),
        ("nul", "_nul"),
        ("lpt¹.tar.gz", "_lpt¹.tar.gz"),
        ("con .mp3", "_con.mp3"),
        ("conrad.mp3", "conrad.mp3"),
        ("song. . .", "song"),
        ("\u00a0song\u3000", "song"),
        ("R.E.M..mp3", "R.E.M..mp3"),
    ],
)
def test_names_keep_what_is_harmless(given: str, kept: str) -> None:
    assert clean_filename(given) == kept


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Mr. Brightside feat. X", "Mr. Brightside feat. X"),
        ("Mr. Brightside feat. X.flac", "Mr. Brightside feat. X"),
        ("Symphony No. 5", "Symphony No. 5"),
        ("01. Intro", "01. Intro"),
        ("demo v1.2", "demo v1.2"),
        ("song.MP3", "song"),
        ("song.Wave", "song"),
        ("clip.mov", "clip"),
        ("song.stem.mp4", "song.stem"),
        ("R.E.M..mp3", "R.E.M."),
        ("mp3", "mp3"),
        (".mp3", ".mp3"),
        ("lyrics.txt", "lyrics.txt"),
    ],
)
def test_only_endings_of_audio_are_no_part_of_a_title(name: str, title: str) -> None:
    assert without_ending(name) == title


def test_our_own_endings_are_endings() -> None:
    assert set(EXTENSIONS.values()) <= ENDINGS


@pytest.mark.parametrize("letter", ["x", "é", "字", "🎵", FAMILY, ENGLAND, "🇩🇪", "ก็", "한", "क्षि", "g̈"])
@pytest.mark.parametrize("ending", [".mp3", ".flac", ""])
def test_a_long_name_is_cut_between_graphemes_and_keeps_its_ending(letter: str, ending: str) -> None:
    cut = clean_filename(letter * 500 + ending)
    count = (255 - len(ending)) // len(letter.encode())

    assert cut == letter * count + ending


def test_a_grapheme_without_end_is_cut_where_it_must() -> None:
    assert len(shortened("a" + "\u0301" * 400, 255).encode()) == 255
    assert shortened("é", 1) == ""
    assert clean_filename("a" + "\u0308\u0301" * 400 + ".mp3").endswith(".mp3")


def named(input_name: str, template: str = "", stem: str = "vocals") -> str:
    spec = spec_of("demo", format="aac", filename_template=check_template(template))
    outputs = {stem: {"key": f"jobs/x/attempt-1/{stem}.m4a"}}
    return output_filename(job_of("x", JobState.SUCCEEDED, spec, "p", "k", input_name, outputs=outputs), stem)


@pytest.mark.parametrize(
    ("song", "name"),
    [
        ("my song.mp3", "my song - vocals.m4a"),
        ("Mr. Brightside feat. X", "Mr. Brightside feat. X - vocals.m4a"),
        ("R.E.M..mp3", "R.E.M. - vocals.m4a"),
        ("song .mp3", "song - vocals.m4a"),
    ],
)
def test_a_stem_is_named_after_its_song(song: str, name: str) -> None:
    assert named(song) == name


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{stem}", "vocals.m4a"),
        ("{name} [{stem}, {model}]", "my song [vocals, demo].m4a"),
        ("../{stem}", "_vocals.m4a"),
        ("{stem}.exe", "vocals.exe.m4a"),
        ("/etc/{stem}", "_etc_vocals.m4a"),
        ("..\\{stem}", "_vocals.m4a"),
        ("nul.{stem}", "_nul.vocals.m4a"),
        ("{stem} ", "vocals.m4a"),
        ("{name} بی\u200cکلام {stem}", "my song بی\u200cکلام vocals.m4a"),
    ],
)
def test_a_template_names_and_leads_nowhere(template: str, name: str) -> None:
    assert named("my song.mp3", template) == name


@pytest.mark.parametrize(
    "template", ["", "{stem} of {name}", "{name}/{name}: {stem} ({model})", "字" * 60 + "{name}{stem}"]
)
@pytest.mark.parametrize("song", ["x" * 300, "字" * 200 + ".flac", FAMILY * 50, "e\u0301" * 300])
def test_a_download_fits_any_disk_and_still_names_its_stem(template: str, song: str) -> None:
    names = {named(song, template, stem) for stem in ("vocals", "no_vocals", "minus_vocals")}

    assert len(names) == 3
    for name in names:
        assert len(name.encode()) <= 240
        assert "vocals" in name
        assert name.endswith(".m4a")


def test_a_template_that_leaves_no_room_gives_way() -> None:
    assert named("song.mp3", "字" * 140 + "{stem}") == "song - vocals.m4a"
    assert len(stem_filename("song.mp3", "v" * 300, ".flac").encode()) <= 240


def test_every_file_of_a_job_has_a_name_that_fits() -> None:
    job = job_of("x", JobState.SUCCEEDED, spec_of(), "p", "k", "feat. X" * 60)
    for name, ending in ((manifest_filename(job), " - manifest.json"), (archive_filename(job), " - stems.zip")):
        assert len(name.encode()) <= 240
        assert name.endswith(ending)


def test_braces_of_a_song_are_no_template() -> None:
    assert named("{stem}{model}.mp3", "{name} {stem}") == "{stem}{model} vocals.m4a"


@pytest.mark.parametrize(
    "template",
    [
        "{name}",
        "{stem",
        "stem}",
        "{stem} {album}",
        "{stem!r}",
        "{stem.__class__}",
        "{}",
        "{stem}" + "x" * 150,
        "a\u202e{stem}",
        "{stem}\r\nx",
        "\u200d{stem}",
    ],
)
def test_a_template_that_can_not_be_used_is_refused(template: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_template(template)

    assert caught.value.code == "bad_template"
