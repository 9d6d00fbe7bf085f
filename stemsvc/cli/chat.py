"""`stemsvc chat`: words become work, at a service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.submit import INTERRUPTED, SongType
from stemsvc.cli.submitting import KEY, URL
from stemsvc.cli.terminal import AS_JSON, printable

if TYPE_CHECKING:
    from stemsvc.cli.chat_there import Talk
    from stemsvc.cli.run_files import RunResult

ASKED = 3  # exit code: a message was not understood, and asked back
FAILED = 1


@click.command()
@click.argument("messages", nargs=-1, metavar="MESSAGE...")
@click.option("-c", "--conversation", metavar="ID", help="go on with this conversation; default: a new one")
@click.option("--last", is_flag=True, help="go on with the conversation that had the newest message")
@click.option("--song", type=SongType(), help="a file or a link to speak of")
@click.option("--run", is_flag=True, help="run each plan at once, without waiting for a yes")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="folder for the files")
@URL
@KEY
@AS_JSON
def chat(
    messages: tuple[str, ...],
    conversation: str | None,
    last: bool,
    song: str | None,
    run: bool,
    output: Path | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Make and change music by words: "a trap beat at 140", "take the drums out", "undo".

    Each MESSAGE is one of its own; without any, they are read from the terminal, or from stdin, a line each. A plan
    waits for a yes unless --run is given; what is confirmed is followed to its end. Replies go to stdout, with --json
    as a line of JSON each; progress goes to stderr. Exits with 1 if work failed or can't be done, with 3 if a message
    was not understood.
    """
    from stemsvc.cli.chat_there import Talk
    from stemsvc.cli.run_files import make_folder
    from stemsvc.cli.run_there import Far
    from stemsvc.cli.submitting import service, translated

    if conversation is not None and last:
        raise click.UsageError("name a conversation, or say --last")
    if output is not None:
        make_folder(output)
    try:
        with translated(), Far(*service(url, key)) as far:
            if conversation is None and not last:
                talk, song = Talk.begin(far, song), None
            else:
                talk = Talk(far, conversation) if conversation is not None else Talk.last(far)
            click.echo(f"conversation {printable(talk.id)}", err=True)
            code = _talk(talk, messages, song, run, output, as_json)
    except KeyboardInterrupt:
        click.echo("interrupted: what runs goes on; `stemsvc chat --last` goes on with the conversation", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(code)


def _talk(
    talk: Talk, messages: tuple[str, ...], song: str | None, run: bool, output: Path | None, as_json: bool
) -> int:
    """Send each message and show its answer; returns the exit code: that of the last one that went wrong."""
    code = 0
    for text in _said(messages):
        reply = talk.say(text, run, song)["reply"]
        song = None
        _show(reply, as_json)
        if reply["kind"] == "question":
            code = ASKED
        elif reply["kind"] == "problem":
            code = FAILED
        result = talk.finish(reply, output)
        if result is not None:
            _show_result(result, as_json)
            code = code if result.state == "succeeded" else FAILED
    return code


def _said(messages: tuple[str, ...]) -> Iterator[str]:
    if messages:
        yield from messages
        return
    while True:
        if sys.stdin.isatty():
            click.echo("> ", nl=False, err=True)
        if not (line := sys.stdin.readline()):
            return
        if line.strip():
            yield line.strip()


def _show(reply: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(reply))
        return
    for line in reply["text"].splitlines():
        click.echo(printable(line))
    if reply["kind"] == "plan":
        for line in _card(reply["forecast"]):
            click.echo(printable(line))
    if reply.get("notice"):
        click.echo(printable(f"the rules answered: {reply['notice']['detail']}"), err=True)


def _card(forecast: Mapping[str, Any]) -> Iterator[str]:
    """A plan as text: each step with where it goes and how long it works, then the whole."""
    width = max((len(step["step"]) for step in forecast["steps"]), default=0)
    for step in forecast["steps"]:
        waits = "" if step["alive"] else ", no live worker"
        yield f"  {step['step']:{width}}  {step['kind']}: {step['work_seconds']:g} s in {step['pool']}{waits}"
    size = forecast["stored_bytes"] / 1e6
    whole = f"  {forecast['total_seconds']:g} s in all, {size:.1f} MB"
    yield whole + (f", {forecast['cost']:g} {forecast['currency']}" if forecast["cost"] else "")


def _show_result(result: RunResult, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.told))
        return
    for step, error in result.errors.items():
        click.echo(printable(f"stemsvc: {step}: {error['code']}: {error['detail']}"), err=True)
    if result.state != "succeeded":
        click.echo(f"{result.state}: workflow {result.workflow}", err=True)
    for path in result.files.values():
        click.echo(path)
