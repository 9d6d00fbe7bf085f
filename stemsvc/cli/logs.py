"""`stemsvc logs`: what the processes of `up` have written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import click

from stemsvc.cli.terminal import plain_settings, printable
from stemsvc.errors import NoLogs

PAUSE_SECONDS = 0.3


@click.command()
@click.argument("names", nargs=-1, metavar="[PROCESS]...")
@click.option("-n", "--lines", type=click.IntRange(0), default=50, show_default=True, help="lines of each log")
@click.option("-f", "--follow", is_flag=True, help="go on with what comes, until Ctrl-C")
@click.option("--job", help="only lines that name this job")
@click.option("--json", "as_json", is_flag=True, help="print each line as JSON, with its process")
def logs(names: tuple[str, ...], lines: int, follow: bool, job: str | None, as_json: bool) -> None:
    """Show the logs of what `stemsvc up` runs: of all processes, or of PROCESS (api, dispatcher, redis, ...)."""
    from stemsvc.embedded.log_files import logs as found_in
    from stemsvc.embedded.log_files import tail
    from stemsvc.embedded.state import logs_folder

    folder = logs_folder(plain_settings())
    found = found_in(folder)
    if not found:
        raise NoLogs(f"no logs are in {folder}: `stemsvc up` writes them there")
    if unknown := [name for name in names if name not in found]:
        raise NoLogs(f"no process {unknown[0]} has a log; there are {', '.join(found)}")
    wanted = {name: found[name] for name in names or found}
    width = max(map(len, wanted)) if len(wanted) > 1 else 0

    def say(name: str, line: str) -> None:
        if job is not None and job not in line:
            return
        if as_json:
            click.echo(json.dumps({"process": name, "line": line}))
        else:
            click.echo((f"{name:{width}} | " if width else "") + _shown(line))

    files = {name: _Followed(path) for name, path in wanted.items()} if follow else {}
    for name, path in wanted.items():
        for line in tail(path, lines):
            say(name, line)
    while files:
        for name, file in files.items():
            for line in file.new():
                say(name, line)
        time.sleep(PAUSE_SECONDS)


def _shown(line: str) -> str:
    """A line without what would steer a terminal; tabs stay."""
    return "\t".join(map(printable, line.split("\t")))


class _Followed:
    """A log from its present end on. A log that was put aside goes on from its beginning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size
        self._rest = b""

    def new(self) -> Iterator[str]:
        """The whole lines that came since."""
        if self._path.stat().st_size < self._at:
            self._at, self._rest = 0, b""
        with self._path.open("rb") as file:
            file.seek(self._at)
            content = self._rest + file.read()
            self._at = file.tell()
        *whole, self._rest = content.split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
