"""`stemsvc export`: projects made of stems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.export.kind import ANALYSIS, CODECS, KIND, MIXTURE, SOURCE, TARGETS, ExportParams
from workers.kinds.command import SONG, work_here, work_there, working

DEFAULTS = ExportParams()
# The name and the ending of each target's file.
FILES = {
    "stem.mp4": ("mix.stem", ".mp4"),
    "reaper": ("Reaper", ".zip"),
    "ardour": ("Ardour", ".zip"),
    "dawproject": ("DAWproject", ".dawproject"),
    "zip": ("stems", ".zip"),
    "samples": ("samples", ".zip"),
    "archive": ("archive", ".zip"),
}


@click.command()
@click.argument("files", nargs=-1, required=True, type=SONG, metavar="FILE...")
@click.option(
    "--to",
    "targets",
    type=click.Choice(TARGETS),
    multiple=True,
    default=DEFAULTS.targets,
    show_default=True,
    help="what to make; repeatable",
)
@click.option("--title", default="", help="of the project; the first file's name if not given")
@click.option("--name", "names", multiple=True, help="of a track, once for each file, in their order")
@click.option("--colour", "colours", multiple=True, help="of a track, as #RRGGBB, once for each file")
@click.option("--mixture", type=SONG, help="the song, for the first stream of a .stem.mp4; the stems' sum if not given")
@click.option("--analysis", type=SONG, help="an analysis.json: tempo, bars and markers for its sections")
@click.option("--bpm", type=float, help="the tempo; found in the music if not given")
@click.option("--codec", type=click.Choice(CODECS), default=DEFAULTS.codec, show_default=True, help="of a .stem.mp4")
@click.option("--bars", type=int, default=DEFAULTS.bars, show_default=True, help="bars of each sample of a pack")
@working
def export(
    files: tuple[Path, ...],
    mixture: Path | None,
    analysis: Path | None,
    output: Path,
    remote: bool,
    url: str | None,
    key: str | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Put the stems of a song into projects of Reaper, Ardour and others, a .stem.mp4, a zip, a sample pack."""
    if remote or url:
        asked: dict[str, Any] = {
            name: (list(value) or None) if isinstance(value, tuple) else value for name, value in how.items()
        }
        asked |= {"title": how["title"] or None, "mixture": mixture, "analysis": analysis}
        work_there(lambda client: client.create_export(files, **asked), files[0].name, output, url, key, as_json)
        return
    inputs = [(SOURCE, path) for path in files]
    inputs += [(role, path) for role, path in ((MIXTURE, mixture), (ANALYSIS, analysis)) if path is not None]
    names = {target: FILES[target] for target in dict.fromkeys(how["targets"])}
    work_here(KIND, how, inputs, output, Encoding(), as_json, names)
