"""`stemsvc generate`: a piece of music from words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stemsvc.kinds.generate.kind import KIND
from stemsvc.kinds.generate.params import CHANGES, MELODY, MOST_CANDIDATES, ORIGINAL, SCORE
from workers.kinds.command import encoded, encoding_of, work_here, work_there

if TYPE_CHECKING:
    from stemsvc_client import Client, Job

PATH = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("prompt", default="")
@click.option("--genre", help="default: as the prompt says, else pop")
@click.option("--bpm", type=float, help="60 to 200; default: the genre's")
@click.option("--in-key", "music_key", help="such as `C minor`; default: one that suits the genre")
@click.option("--mood", help="such as dark, happy or chill")
@click.option("--duration", type=float, help="seconds, 5 to 300; default: 30")
@click.option("--seed", type=int, default=0, show_default=True, help="the same seed makes the same piece")
@click.option("--stems", is_flag=True, help="also drums, bass, other and vocals, which sum to the mix")
@click.option("--form", "sections", default="", help="sections, separated by commas: intro,verse,chorus,bridge,outro")
@click.option("--variation-of", "original", type=PATH, help="the score of an earlier piece: keeps harmony and tempo")
@click.option("--change", type=click.Choice(CHANGES), help="what a variation changes")
@click.option("--candidates", type=click.IntRange(1, MOST_CANDIDATES), default=1, show_default=True)
@click.option("--melody", type=PATH, help="a track whose melody is followed, by a model that can")
@click.option("--model", help="default: sketch; `stemsvc models` lists the generators")
@encoded
def generate(
    prompt: str,
    music_key: str | None,
    sections: str,
    original: Path | None,
    melody: Path | None,
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
    """Make a piece of music by PROMPT, such as "a dark trap beat at 140"."""
    form = [name.strip() for name in sections.split(",") if name.strip()]
    fields: dict[str, Any] = {**asked, "prompt": prompt, "key": music_key, "form": form}
    if remote or url:
        sent = {**fields, "format": format_, "bit_depth": bit_depth, "sample_rate": sample_rate}

        def create(client: Client) -> Job:
            return client.create_generation(variation_of=original, melody=melody, **sent)

        work_there(create, prompt or "generate", output, url, key, as_json)
        return
    encoding = encoding_of(format_, bit_depth, sample_rate)
    inputs = [(role, path) for role, path in ((ORIGINAL, original), (MELODY, melody)) if path]
    params = KIND.read(fields)
    names = {name: (name, f".{encoding.extension}") for name in KIND.outputs(params)}
    work_here(KIND, fields, inputs, output, encoding, as_json, {**names, SCORE: (SCORE, ".json")})
