"""`stemsvc mix`: several tracks into one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stemsvc.errors import BadArguments
from stemsvc.kinds.mix import PAN_LAWS, PROFILES, TRACK
from workers.kinds.command import SONG, assigned, encoded, encoding_of, work_here, work_there


@click.command()
@click.argument("files", nargs=-1, required=True, type=SONG, metavar="FILE...")
@click.option("--set", "settings", multiple=True, metavar="N.NAME=VALUE", help="a setting of the Nth file; repeatable")
@click.option("--gain-db", type=float, default=0.0, show_default=True, help="of the whole mix")
@click.option("--normalise", is_flag=True, help="bring the true peak to -1 dBTP")
@click.option("--profile", type=click.Choice(PROFILES), default=PROFILES[0], show_default=True)
@click.option("--pan-law", type=click.Choice(PAN_LAWS), default=PAN_LAWS[0], show_default=True)
@encoded
def mix(
    files: tuple[Path, ...],
    settings: tuple[str, ...],
    output: Path,
    format_: str,
    bit_depth: str | None,
    sample_rate: int | None,
    remote: bool,
    url: str | None,
    key: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Mix files into one. Without settings the mix is their exact sum.

    Settings are those of a track of `POST /v1/mixes`, such as `--set 1.gain_db=-3 --set 2.pan=0.5 --set 2.eq.low=2
    --set 3.sidechain.from=1`.
    """
    tracks = _tracks(files, settings)
    if remote or url:
        sent = [{**track, "source": path} for track, path in zip(tracks, files, strict=True)]
        fields = {**asked, "format": format_, "bit_depth": bit_depth, "sample_rate": sample_rate}
        work_there(lambda client: client.create_mix(sent, **fields), files[0].name, output, url, key, as_json)
        return
    from stemsvc.kinds.mix import KIND

    inputs = [(TRACK, path) for path in files]
    work_here(KIND, {"tracks": tracks, **asked}, inputs, output, encoding_of(format_, bit_depth, sample_rate), as_json)


def _tracks(files: tuple[Path, ...], settings: tuple[str, ...]) -> list[dict[str, Any]]:
    """The settings of each file. Raises `UsageError` `bad_arguments`."""
    found = assigned(settings, "--set")
    tracks = []
    for number in range(1, len(files) + 1):
        own = found.pop(str(number), {})
        if not isinstance(own, dict):
            raise BadArguments(f"--set takes N.NAME=VALUE: {number} is a file")
        tracks.append(own)
    if found:
        raise BadArguments(f"--set {min(found)}: there are the files 1 to {len(files)}")
    return tracks
