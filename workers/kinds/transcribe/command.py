"""`stemsvc transcribe`: the notes of stems, or of a song."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.transcribe.kind import GRIDS, KIND, TranscribeParams
from stemsvc.kinds.transcribe.stems import STEMS, distinct, stem_of
from workers.kinds.command import SONG, work_here, work_there, working

DEFAULTS = TranscribeParams()


@click.command()
@click.argument("files", nargs=-1, required=True, type=SONG, metavar="FILE...")
@click.option("--stems", default="", help=f"what each file is, separated by commas, of {', '.join(STEMS)}")
@click.option("--quantise", type=click.Choice(list(GRIDS)), default=DEFAULTS.quantise, show_default=True)
@click.option("--strength", type=float, default=DEFAULTS.strength, show_default=True, help="how far notes move, 0 to 1")
@click.option("--bpm", type=float, help="the tempo; found in the music if not given")
@click.option("--key-signature", default="", help="such as `F# minor`; found in the notes if not given")
@click.option("--sensitivity", type=float, default=DEFAULTS.sensitivity, show_default=True, help="0: sure notes alone")
@working
def transcribe(
    files: tuple[Path, ...],
    stems: str,
    key_signature: str,
    output: Path,
    remote: bool,
    url: str | None,
    key: str | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Write down the notes of files, which are stems of one song, or a song: MIDI, JSON and a picture.

    A file's name tells what it is: `song - bass.flac` is a bass. --stems tells it otherwise.
    """
    asked = {**how, "key": key_signature or None, "stems": list(filter(None, stems.split(","))) or None}
    if remote or url:
        work_there(lambda client: client.create_transcription(files, **asked), files[0].name, output, url, key, as_json)
        return
    inputs = [("source", path) for path in files]
    work_here(KIND, asked, inputs, output, Encoding(), as_json, _names(files, asked["stems"]))


def _names(files: tuple[Path, ...], stems: list[str] | None) -> dict[str, tuple[str, str]]:
    """The name and the ending of each file that is made."""
    named = stems or [stem_of(path.name, len(files) == 1) for path in files]
    parts = {name: (name, ".mid") for name in (*distinct(named), "all")}
    return {**parts, "notes": ("notes", ".json"), "piano_roll": ("piano roll", ".png")}
