"""What formats a job may ask for, alone and together."""

from __future__ import annotations

import pytest

from stemsvc.errors import UsageError
from stemsvc.jobs.encoding import Encoding, check_encoding, check_formats, check_number
from stemsvc.jobs.titles import check_title_template, stem_title


def test_depths_default_to_what_every_player_reads() -> None:
    assert check_encoding("wav", None) == "16"
    assert check_encoding("flac", "24") == "24"
    assert check_encoding("mp3", None) is None


@pytest.mark.parametrize(
    ("format", "formats", "depth", "each"),
    [
        ("mp3", [], None, [("mp3", None)]),
        ("flac", ["mp3"], None, [("mp3", None)]),
        ("flac", ["flac", "mp3"], None, [("flac", "16"), ("mp3", None)]),
        ("mp3", ["flac", "mp3"], "24", [("flac", "24"), ("mp3", None)]),
        ("flac", ["opus", "wav", "opus"], "float32", [("opus", None), ("wav", "float32")]),
    ],
)
def test_a_bit_depth_is_for_the_formats_that_have_one(
    format: str, formats: list[str], depth: str | None, each: list[tuple[str, str | None]]
) -> None:
    encoding = check_formats(format, formats, depth)

    assert [(one.format, one.bit_depth) for one in encoding.each] == each
    assert encoding.format == each[0][0]
    # one format names its files as before
    assert encoding.file_key("vocals", each[-1][0]) == ("vocals" if len(each) == 1 else f"vocals.{each[-1][0]}")


@pytest.mark.parametrize(
    ("format", "formats", "depth"),
    [
        ("flac", ["flac", "wma"], None),
        ("flac", ["flac", "wav"], "float32"),  # flac can't
        ("flac", ["mp3", "opus"], "16"),
        ("wav", ["flac", "mp3"], None),  # which of them?
        ("flac", ["mp3", "FLAC"], None),
    ],
)
def test_formats_that_can_not_be_are_refused(format: str, formats: list[str], depth: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        check_formats(format, formats, depth)
    assert caught.value.code == "impossible_format"


def test_the_number_of_files_is_bounded() -> None:
    every = check_formats("flac", ["flac", "wav", "mp3", "aac", "opus"], None)
    check_number(12, every)
    check_number(64, Encoding())
    with pytest.raises(UsageError) as caught:
        check_number(13, every)
    assert caught.value.code == "too_many_outputs"


def test_a_request_of_release_0_2_asks_for_the_same_as_before() -> None:
    fields = {"format": "flac", "bit_depth": "16", "sample_rate": None, "filename_template": ""}
    assert Encoding("flac", "16").asked == fields
    assert Encoding("flac", "16", tags=False).asked == {**fields, "tags": False}


@pytest.mark.parametrize(
    ("template", "title"),
    [
        ("", "Song (vocals)"),
        ("{title}", "Song"),
        ("{stem}: {title} / {model}", "vocals: Song / demo"),
        ("{stem}", "vocals"),
    ],
)
def test_a_title_names_its_stem(template: str, title: str) -> None:
    assert stem_title("Song", "vocals", "demo", check_title_template(template)) == title


@pytest.mark.parametrize("template", ["{name}", "{title", "a\u202eb", "x" * 151, "a\nb"])
def test_a_title_template_that_can_not_be_used_is_refused(template: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_title_template(template)
    assert caught.value.code == "bad_template"
