"""`stemsvc models`: the models of the catalog, and their weights on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.add_model import add
from stemsvc.cli.generators import generator_facts, meant, show_generators, to_pull, weights_of
from stemsvc.cli.terminal import AS_JSON, Column, Listing, print_json
from stemsvc.errors import (
    BadArguments,
    BadOutput,
    StemsvcError,
    WeightsChanged,
)
from stemsvc.host.folders import for_the_caller

if TYPE_CHECKING:
    from stemsvc.models.catalog import Catalog
    from stemsvc.models.entry import ModelEntry
    from stemsvc.models.lock import Locked
    from stemsvc.models.pull import Puller
    from stemsvc.settings import Settings


@click.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List models, and manage their weights on this machine."""
    if context.invoked_subcommand is None:
        _list(False, as_json)


@models.command("list")
@click.option(
    "--online", is_flag=True, help="also ask the hub whether missing weights are available (at most once a day)"
)
@AS_JSON
def list_(online: bool, as_json: bool) -> None:
    """List the models, and whether their weights are on this machine."""
    _list(online, as_json)


@models.command()
@AS_JSON
def presets(as_json: bool) -> None:
    """List what a job can ask for as its quality: the model that it is on this machine, its stems, and why that one.

    `GET /v1/models` says what it is in a service, by its pools and its workers.
    """
    settings, catalog, _ = _open()
    found = _presets(catalog, settings)
    if as_json:
        print_json(found)
        return
    listing = Listing("quality", "model", "stems", "why")
    for preset in found:
        listing.add(preset["name"], preset["model"] or "-", " ".join(preset["stems"]), preset["why"])
    listing.show()


@models.command()
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="every model of the catalog")
@click.option(
    "--convert/--no-convert",
    default=True,
    show_default=True,
    help="convert the networks for this machine's CPU; not needed where another machine runs them",
)
def pull(names: tuple[str, ...], everything: bool, convert: bool) -> None:
    """Download the weights of NAME... that this machine lacks, check every byte, and convert the networks."""
    from stemsvc.models.ready import convert_all
    from stemsvc.models.weights_show import pull_all

    _, catalog, puller = _open()
    if everything == bool(names):
        known = [*catalog.names, *catalog.generators.names]
        raise BadArguments(f"name models to pull, or --all: {', '.join(known)}")
    entries = to_pull(catalog, names)
    failed = pull_all(puller, entries)
    if convert:
        convert_all([entry for entry in entries if all(puller.store.place(file).is_file() for file in entry.files)])
    if failed:
        sys.exit(1)


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@AS_JSON
def verify(names: tuple[str, ...], as_json: bool) -> None:
    """Check every byte of the weights on this machine against the catalog; with NAME..., only of these models.

    Exits with 1 if a file is damaged, or if a file of NAME... is missing.
    """
    from stemsvc.models.store import State

    _, catalog, puller = _open()
    bad, seen = False, []
    for entry in meant(catalog, names):
        for file in entry.files:
            state = puller.store.check(file)
            if state is State.MISSING and not names:
                continue
            bad |= state is not State.HERE
            place, sure = puller.store.place(file), puller.store.digest(file) is not None
            seen.append({"model": entry.name, "state": state.value, "file": str(place), "checked": sure})
            unsure = "" if sure else " (can't be checked: no sha256 in the catalog)"
            if not as_json:
                click.echo(f"{state.value:8} {entry.name:16} {place}{unsure}")
    if as_json:
        print_json(seen)
    if bad:
        sys.exit(1)


@models.command()
def prune() -> None:
    """Delete weights that no model of the catalog needs, broken downloads, and conversions unused for 30 days."""
    settings, catalog, puller = _open()
    files = [file for entry in meant(catalog, ()) for file in entry.files]
    gone = puller.store.prune(files, settings.resolved_cache_dir)
    for path in gone:
        click.echo(f"deleted {path}")
    click.echo(f"{len(gone)} deleted, {_megabytes(puller.store.used())} of weights left in {puller.store.folder}")


@models.command()
@click.argument("name", required=False)
@AS_JSON
def path(name: str | None, as_json: bool) -> None:
    """Print the folder of weights, or the files of NAME."""
    _, catalog, puller = _open()
    files = [file for entry in meant(catalog, [name]) for file in entry.files] if name else []
    places = [puller.store.folder] if name is None else [puller.store.place(file) for file in files]
    if as_json:
        print_json([*map(str, places)])
        return
    for each in places:
        click.echo(each)


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="the lock file to write")
def lock(names: tuple[str, ...], output: Path | None) -> None:
    """Write a lock file for review: commit, hash and size of the weights' files, as their sources have them now.

    By default it lies beside STEMSVC_CATALOG, where stemsvc reads it. Files of models that you do not name stay in
    it. Exits with 1 if a source has other weights than the catalog says.
    """
    from stemsvc.models.catalog import lock_path
    from stemsvc.models.lock import read_lock, write_lock
    from stemsvc.models.locking import observe

    settings, catalog, puller = _open(locked=False)
    target = output or (lock_path(settings.catalog) if settings.catalog else Path("catalog.lock.yaml"))
    files: dict[str, Locked] = read_lock(target) if target.exists() else {}
    changed = False
    for entry in meant(catalog, names):
        for file in entry.files:
            seen = observe(puller, file)
            files[file.address] = seen
            differs = file.sha256 not in (None, seen.sha256)
            changed |= differs
            click.echo(
                f"{entry.name}: {file.label}\n  {seen.sha256}  {seen.size} bytes" + ("  CHANGED" if differs else "")
            )
    with for_the_caller():
        write_lock(target, files)
    click.echo(f"written to {target}: review it")
    if changed:
        raise WeightsChanged("a source has other weights than the catalog says; see above")


@models.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="file to write; default: beside FILE"
)
def convert(file: Path, output: Path | None) -> None:
    """Convert FILE, a checkpoint (.th, .ckpt, .pth, .pt), to safetensors, without trusting it.

    A process of its own reads it, and refuses everything but numbers and demucs' networks.
    """
    from stemsvc.host.digest import sha256_of
    from stemsvc.models.convert import convert as convert_file

    target = output or file.with_suffix(".safetensors")
    draft = target.with_name(f".{target.name}.draft")
    try:
        with for_the_caller():
            convert_file(file, draft)
        draft.replace(target)
    except OSError as error:
        raise BadOutput(f"{target} can't be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    click.echo(f"{target}\n  sha256: {sha256_of(target)}\n  size: {target.stat().st_size}")


models.add_command(add)


def _open(*, locked: bool = True) -> tuple[Settings, Catalog, Puller]:
    from stemsvc.models.catalog import load_catalog
    from stemsvc.models.pull import open_puller
    from stemsvc.observe.logs import configure_logs
    from stemsvc.settings import Settings

    settings = Settings()
    configure_logs(settings.log_format, settings.log_level)
    catalog = load_catalog(settings.catalog, locked=locked, accepted=settings.licences)
    return settings, catalog, open_puller(settings)


def _presets(catalog: Catalog, settings: Settings) -> list[dict[str, Any]]:
    from stemsvc.kinds.separate.choose import presets_now
    from stemsvc.models.here import aware_here

    return presets_now(aware_here(catalog, settings))


def _list(online: bool, as_json: bool) -> None:
    settings, catalog, puller = _open()
    states = {entry.name: weights_of(puller, entry) for entry in meant(catalog, ())}
    if online:
        missing = (entry for entry in catalog.entries if states[entry.name] == "missing")
        states |= {entry.name: _availability(puller, entry) for entry in missing}
    if as_json:
        generators = [generator_facts(catalog, each, states[each.name]) for each in catalog.generators.entries]
        print_json([*(_facts(entry, states[entry.name]) for entry in catalog.entries), *generators])
        return
    listing = Listing(
        "name", "weights", Column("size", right=True), "licence", "family", Column("SDR", right=True), "stems"
    )
    for entry in catalog.entries:
        size, doubt = _megabytes(entry.size) if entry.size else "?", "?" * bool(entry.licence_doubt)
        sdr = f"{entry.sdr.db:g} dB" if entry.sdr else ""
        facts = (states[entry.name], size, entry.licence + doubt, entry.family, sdr)
        listing.add(entry.name, *facts, " ".join(entry.stems))
    listing.show()
    for entry in catalog.entries:
        if entry.sdr:
            click.echo(f"SDR of {entry.name}: on {entry.sdr.data}, from {entry.sdr.source}")
    for preset in _presets(catalog, settings):
        click.echo(f"quality {preset['name']}: {preset['model'] or 'no model for it here'}; {preset['summary']}")
    for doubt in dict.fromkeys(entry.licence_doubt for entry in catalog.entries if entry.licence_doubt):
        click.echo(f"licence in doubt: {doubt}")
    for entry in catalog.entries:
        if entry.deprecated:
            instead = f"; take {entry.fallback}" if entry.fallback else ""
            click.echo(f"{entry.name} is deprecated: {entry.deprecated}{instead}")
    show_generators(catalog, puller)


def _facts(entry: ModelEntry, state: str) -> dict[str, Any]:
    return {
        "name": entry.name,
        "summary": entry.summary,
        "family": entry.family,
        "sdr": entry.sdr.model_dump() if entry.sdr else None,
        "weights": state,
        "bytes": entry.size,
        "licence": entry.licence,
        "licence_doubt": entry.licence_doubt,
        "deprecated": entry.deprecated,
        "fallback": entry.fallback,
        "stems": list(entry.stems),
    }


def _availability(puller: Puller, entry: ModelEntry) -> str:
    try:
        known = [puller.metadata.get(file, offline=puller.offline) for file in entry.files if file.hub]
    except StemsvcError as error:
        return f"missing, hub: {error.code}"
    refusals = [each.refusal for each in known if each is not None and each.refusal]
    if refusals:
        return f"missing, hub: {refusals[0]}" + (f"; take {entry.fallback}" if entry.fallback else "")
    return "missing, available" if any(known) else "missing"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
