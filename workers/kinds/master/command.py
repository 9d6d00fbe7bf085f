"""`stemsvc master`: a song, shaped, at a loudness and under a ceiling."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stemsvc.kinds.master import PRESETS, REFERENCE, SILENCES, MasterParams
from workers.kinds.command import SONG, encoded, encoding_of, work_here, work_there

if TYPE_CHECKING:
    from stemsvc_client import Client, Job

DEFAULTS = MasterParams()


@click.command()
@click.argument("file", type=SONG)
@click.option("--preset", type=click.Choice(list(PRESETS)), default=DEFAULTS.preset, show_default=True)
@click.option("--intensity", type=float, default=DEFAULTS.intensity, show_default=True, help="0 to 1: how much shaping")
@click.option("--reference", type=SONG, help="a song to match")
@click.option("--loudness", type=float, help="LUFS; default: the preset's")
@click.option("--ceiling-db", type=float, help="dBTP; default: the preset's")
@click.option("--low-db", type=float, help="a shelf below 120 Hz; default: the preset's")
@click.option("--mid-db", type=float, help="a bell at 1.5 kHz; default: the preset's")
@click.option("--high-db", type=float, help="a shelf above 8 kHz; default: the preset's")
@click.option("--compression", type=float, help="0 to 1; default: the preset's")
@click.option("--saturation", type=float, help="0 to 1; default: the preset's")
@click.option("--width", type=float, help="0 mono, 1 as it is, 2 twice; default: the preset's")
@click.option("--silence", type=click.Choice(SILENCES), default=DEFAULTS.silence, show_default=True)
@click.option("--silence-db", type=float, default=DEFAULTS.silence_db, show_default=True, help="dBFS of silence")
@encoded
def master(
    file: Path,
    reference: Path | None,
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
    """Master FILE: shape it, bring it to a loudness, keep it under a ceiling of true peak."""
    if remote or url:
        fields = {**asked, "format": format_, "bit_depth": bit_depth, "sample_rate": sample_rate}

        def create(client: Client) -> Job:
            return client.create_master(file, reference=reference, **fields)

        work_there(create, file.name, output, url, key, as_json)
        return
    from stemsvc.kinds.master import KIND

    inputs = [("source", file), *([(REFERENCE, reference)] if reference else [])]
    work_here(KIND, asked, inputs, output, encoding_of(format_, bit_depth, sample_rate), as_json)
