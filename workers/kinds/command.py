"""What commands share that do a kind's work: in this process, or by a service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stemsvc.cli.submitting import KEY, URL, Bars, service, translated
from stemsvc.cli.terminal import AS_JSON, print_json, printable
from stemsvc.errors import BadArguments, BadOutput
from stemsvc.host.folders import for_the_caller
from stemsvc.jobs.encoding import FORMATS, Encoding, check_formats
from stemsvc.kinds.registry import AnyKind

if TYPE_CHECKING:
    from stemsvc_client import Client, Job

C = TypeVar("C", bound=Callable[..., Any])
SONG = click.Path(exists=True, dir_okay=False, path_type=Path)


def encoded(command: C) -> C:
    """Add the options of every command that makes audio: where it goes, how it is written, who does the work."""
    options = (
        click.option("--format", "format_", type=click.Choice(list(FORMATS)), default="flac", show_default=True),
        click.option("--bit-depth", type=click.Choice(["16", "24", "float32"])),
        click.option("--sample-rate", type=click.IntRange(8000, 192000), help="Hz"),
    )
    return _with(working(command), options)


def working(command: C) -> C:
    """Add the options of every command that does a kind's work: where it goes, who does it."""
    options = (
        click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="folder"),
        click.option("--remote", is_flag=True, help="let a service do it: the one of --url, or the one that runs here"),
        URL,
        KEY,
        AS_JSON,
    )
    return _with(command, options)


def _with(command: C, options: Sequence[Callable[[C], C]]) -> C:
    for option in reversed(options):
        command = option(command)
    return command


def assigned(texts: Iterable[str], option: str) -> dict[str, Any]:
    """Values of `NAME=VALUE`, whose names may have dots: objects within objects. A value that is JSON is what it says.

    Raises `UsageError` `bad_arguments`.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        *path, last = name.split(".")
        if not equals or not all((*path, last)):
            raise BadArguments(f"{option} takes NAME=VALUE, not {text!r}")
        place = found
        for each in path:
            place = place.setdefault(each, {})
            if not isinstance(place, dict):
                raise BadArguments(f"{option} {text!r}: {each} has a value already")
        try:
            place[last] = json.loads(value)
        except ValueError:
            place[last] = value
    return found


def work_here(
    kind: AnyKind,
    asked: dict[str, Any],
    files: Sequence[tuple[str, Path]],
    output: Path,
    encoding: Encoding,
    as_json: bool,
    names: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """Do the work in this process, write its files into the folder, print where they are.

    `names` are the files' names and endings, where not all of them are audio in the encoding.
    """
    from rich.console import Console
    from rich.progress import Progress

    from stemsvc.models.catalog import load_catalog
    from stemsvc.settings import Settings
    from workers.kinds.local import ran
    from workers.output_folder import open_output_folder

    settings = Settings()
    try:
        catalog = load_catalog(settings.catalog, accepted=settings.licences)
        params = kind.check(kind.read(asked), [role for role, _ in files], catalog)
    except (TypeError, AttributeError) as error:  # a number that is a text, a list in place of an object
        raise BadArguments(f"a value has the wrong type: {error}") from error
    if names is None:
        names = {name: (name, f".{encoding.extension}") for name in kind.outputs(params)}
    place = open_output_folder(output, str(getattr(params, "name", "")) or files[0][1].name, names)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=1.0)

        def show(stage: str, done: int, of: int) -> None:
            bar.update(task, description=stage, completed=done / of if of else 0.0)

        with ran(kind, params, files, encoding, settings, show) as result:
            for warning in result.warnings:
                bar.console.print(f"warning: {warning.code}: {warning.detail}", soft_wrap=True, markup=False)
            made = [(name, place.write(name, file.path), file.facts) for name, file in result.made.files.items()]
            facts = result.made.facts
    if as_json:
        files_made = {name: {"path": str(path), **file_facts} for name, path, file_facts in made}
        warnings = [{"code": each.code, "detail": each.detail} for each in result.warnings]
        print_json({"files": files_made, "facts": dict(facts), "warnings": warnings})
        return
    for _, path, _ in made:
        click.echo(path)


def work_there(
    create: Callable[[Client], Job], label: str, output: Path, url: str | None, key: str | None, as_json: bool
) -> None:
    """Let a service do the work, save its files into the folder, print where they are."""
    from stemsvc_client import Client, Update

    try:
        with for_the_caller():
            output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOutput(f"{output} can't be made: {error.strerror}") from error
    with translated(), Bars() as bars, Client(*service(url, key)) as client:
        job = create(client)

        def show(job: Job) -> None:
            bars.show(Update(label, job.progress.stage, job.progress.fraction, job))

        try:
            job = client.finished(job.id, on_change=show)
        except KeyboardInterrupt:
            client.cancel(job.id)
            raise
        with for_the_caller():
            paths = {name: client.save(job, name, output) for name in job.files}
    for warning in job.warnings:
        click.echo(printable(f"warning: {warning.code}: {warning.detail}"), err=True)
    if as_json:
        told = [{"code": each.code, "detail": each.detail} for each in job.warnings]
        paths_told = {name: {"path": str(path)} for name, path in paths.items()}
        print_json({"job": job.id, "files": paths_told, "facts": job.facts, "warnings": told})
        return
    for path in paths.values():
        click.echo(path)


def encoding_of(format: str, bit_depth: str | None, sample_rate: int | None) -> Encoding:
    """How the file is written. Raises `UsageError` `impossible_format`."""
    from dataclasses import replace

    return replace(check_formats(format, (), bit_depth), sample_rate=sample_rate)
