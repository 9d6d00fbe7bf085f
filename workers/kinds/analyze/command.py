"""`stemsvc analyze`: what can be heard in a song."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stemsvc.errors import BadArguments
from stemsvc.jobs.part import WHOLE
from stemsvc.kinds.analyze import CLICKS, USE_STEMS
from workers.kinds.command import SONG, encoded, encoding_of, work_here, work_there

TEXTS = {"analysis": ("analysis", ".json"), "picture": ("picture", ".svg")}


@click.command()
@click.argument("file", type=SONG)
@click.option("--stems", multiple=True, type=SONG, help="a stem of the song, named as its instrument; repeatable")
@click.option("--use-stems", type=click.Choice(USE_STEMS), default=USE_STEMS[0], show_default=True)
@click.option("--model", default="", help="what `--use-stems always` separates with; default: the usual model")
@click.option("--click", "clicks", type=click.Choice(CLICKS), default=CLICKS[0], show_default=True)
@click.option("--picture/--no-picture", default=True, show_default=True, help="draw waveform, beats, chords, sections")
@click.option("--start", type=float, default=WHOLE.start, show_default=True, help="second at which to begin")
@click.option("--end", type=float, help="second at which to end; the song's end if not given")
@encoded
def analyze(
    file: Path,
    stems: tuple[Path, ...],
    use_stems: str,
    model: str,
    clicks: str,
    picture: bool,
    start: float,
    end: float | None,
    output: Path,
    format_: str,
    bit_depth: str | None,
    sample_rate: int | None,
    remote: bool,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Find tempo, beats, key, chords, sections and loudness of FILE, and the state of its signal.

    Key and chords are heard best in stems without drums: give those that you have, or let them be separated.
    """
    asked = {"use_stems": use_stems, "model": model, "click": clicks, "picture": picture, "start": start, "end": end}
    encoding = encoding_of(format_, bit_depth, sample_rate)
    if remote or url:
        if stems:
            raise BadArguments("--stems are files of this machine; a service knows its own: --use-stems says which")
        fields: dict[str, Any] = {
            **asked,
            "format": format_,
            "bit_depth": encoding.bit_depth,
            "sample_rate": sample_rate,
        }
        sent = {name: value for name, value in fields.items() if value not in (None, "")}
        work_there(lambda client: client.create_analysis(file, **sent), file.name, output, url, key, as_json)
        return
    from stemsvc.kinds.analyze import KIND

    names = {
        **{name: text for name, text in TEXTS.items() if name != "picture" or picture},
        **({"click": ("click", f".{encoding.extension}")} if clicks != "none" else {}),
    }
    inputs = [("source", file), *(("stem", stem) for stem in stems)]
    work_here(KIND, asked, inputs, output, encoding, as_json, names)
