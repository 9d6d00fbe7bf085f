"""`stemsvc submit`: sends songs to any stemsvc, and saves what comes of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.submitting import KEY, URL, Bars, service, translated
from stemsvc.cli.terminal import AS_JSON, print_json, printable
from stemsvc.errors import BadArguments, BadOutput
from stemsvc.host.folders import for_the_caller
from stemsvc.jobs.filenames import same_file

if TYPE_CHECKING:
    from stemsvc_client import AsyncClient, Made

INTERRUPTED = 130  # what shells say of a program that Ctrl-C has ended
LINKS = ("http://", "https://")


class SongType(click.ParamType[str]):
    """A file that can be read, or a link."""

    name = "song"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse a file that is not there."""
        if value.lower().startswith(LINKS):
            return value
        return str(click.Path(exists=True, dir_okay=False, readable=True).convert(value, param, ctx))


@click.command()
@click.argument("songs", nargs=-1, required=True, type=SongType(), metavar="SONG...")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="folder for files"
)
@URL
@KEY
@click.option("--model", help="a name that the service knows; default: its own default")
@click.option("--quality", help="in place of --model: what you want, such as fast, best or karaoke")
@click.option("--stems", help="stems wanted, separated by commas; default: all")
@click.option("--format", "format_", help="flac, wav, mp3, aac or opus")
@click.option("--bit-depth", help="16, 24 or float32")
@click.option("--device", help="auto, cpu, cuda or mps")
@click.option("--residual", is_flag=True, help="also a file of the song minus the stems")
@click.option("--field", "fields", multiple=True, metavar="NAME=VALUE", help="another field of the form; repeatable")
@click.option("--at-once", type=click.IntRange(1, 100), default=4, show_default=True, help="songs under way at a time")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="longest time for one job, in seconds")
@click.option("--keep", is_flag=True, help="leave jobs running when this command is interrupted")
@AS_JSON
def submit(
    songs: tuple[str, ...],
    output: Path,
    url: str | None,
    key: str | None,
    fields: tuple[str, ...],
    at_once: int,
    timeout: float | None,
    keep: bool,
    as_json: bool,
    **form: Any,
) -> None:
    """Send songs (files or links) to a stemsvc, wait, and save the stems.

    Prints the path of each file. Progress and errors go to stderr. Exits with 1 if a song failed; the others are saved
    all the same. Ctrl-C cancels the jobs that are under way.
    """
    asked = {"format": form.pop("format_"), **form, "residual": form["residual"] or None, **_named(fields)}
    try:
        with for_the_caller():
            output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOutput(f"{output} can't be made: {error.strerror}") from error
    sending = _Sending(*service(url, key), output, asked, timeout, cancel=not keep)
    try:
        with translated(), Bars() as bars, for_the_caller():
            asyncio.run(sending.all(songs, at_once, bars))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("interrupted" + (": jobs under way go on" if keep else ": jobs under way are canceled"), err=True)
        sys.exit(INTERRUPTED)
    finally:
        sending.say(songs, as_json)
    if sending.errors:
        sys.exit(1)


class _Sending:
    """Songs on their way, and what became of them: `made` and `errors` are by song."""

    def __init__(
        self, url: str, key: str | None, output: Path, fields: Mapping[str, Any], timeout: float | None, cancel: bool
    ) -> None:
        self._url, self._key, self._output, self._fields = url, key, output, fields
        self._timeout, self._cancel = timeout, cancel
        self.made: dict[str, Made] = {}
        self.errors: dict[str, dict[str, str | None]] = {}

    async def all(self, songs: Iterable[str], at_once: int, bars: Bars) -> None:
        """Send every song, some of them at a time."""
        from stemsvc_client import AsyncClient

        task = asyncio.current_task()
        assert task is not None
        with contextlib.suppress(NotImplementedError):  # Windows ends a process without asking it
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # as Ctrl-C does
        room = asyncio.Semaphore(at_once)
        async with AsyncClient(self._url, self._key) as client, asyncio.TaskGroup() as group:
            for song, name in _names(songs).items():
                group.create_task(self._one(client, room, song, name, bars))

    async def _one(self, client: AsyncClient, room: asyncio.Semaphore, song: str, name: str, bars: Bars) -> None:
        from stemsvc_client import StemsvcError

        try:
            async with room:
                self.made[song] = await client.run(
                    song,
                    name=name,
                    output_dir=self._output,
                    timeout=self._timeout,
                    on_progress=bars.show,
                    cancel=self._cancel,
                    **self._fields,
                )
        except StemsvcError as error:
            self.errors[song] = {"code": error.code, "detail": error.detail, "job": error.job.id if error.job else None}
        except OSError as error:
            where = error.filename or self._output
            self.errors[song] = {"code": BadOutput.code, "detail": f"{where}: {error.strerror}", "job": None}

    def say(self, songs: Iterable[str], as_json: bool) -> None:
        """Print what became of the songs, in their order."""
        results = [self._result(song) for song in dict.fromkeys(songs) if song in self.made or song in self.errors]
        if as_json:
            print_json(results)
        for result in results:
            for path in () if as_json else result["paths"].values():
                click.echo(path)
            for warning in result["warnings"]:
                said = f"{result['song']}: warning: {warning['code']}: {warning['detail']}"
                click.echo(printable(said), err=True)
            if problem := result["error"]:
                said = f"stemsvc: {result['song']}: {problem['code']}: {problem['detail']}"
                click.echo(printable(said), err=True)

    def _result(self, song: str) -> dict[str, Any]:
        made, problem = self.made.get(song), self.errors.get(song)
        return {
            "song": song,
            "job": made.job.id if made else problem and problem["job"],
            "paths": {name: str(path) for name, path in made.paths.items()} if made else {},
            "warnings": [{"code": each.code, "detail": each.detail} for each in made.job.warnings] if made else [],
            "error": {"code": problem["code"], "detail": problem["detail"]} if problem else None,
        }


def _names(songs: Iterable[str]) -> dict[str, str]:
    """What each song is called. Songs of one name get numbers, because the names of their files come from it."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for song in dict.fromkeys(songs):
        if song.lower().startswith(LINKS):
            names[song] = song
            continue
        path, number, name = Path(song), 1, Path(song).name
        while same_file(Path(name).stem) in taken:
            number += 1
            name = f"{path.stem} ({number}){path.suffix}"
        taken.add(same_file(Path(name).stem))
        names[song] = name
    return names


def _named(fields: Iterable[str]) -> dict[str, Any]:
    """Fields as they were given, `NAME=VALUE`; a value that is JSON is what it says."""
    found: dict[str, Any] = {}
    for field in fields:
        name, equals, text = field.partition("=")
        if not (equals and name.isidentifier()):
            raise BadArguments(f"--field takes NAME=VALUE, not {field!r}")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
