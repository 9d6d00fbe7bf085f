"""What `stemsvc models` says of the catalog's generators, and which entries its commands mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import Column, Listing

if TYPE_CHECKING:
    from stemsvc.models.catalog import Catalog
    from stemsvc.models.generators import GeneratorEntry
    from stemsvc.models.pull import Puller
    from stemsvc.models.source import Weighed


def meant(catalog: Catalog, names: Sequence[str]) -> list[Weighed]:
    """The models and generators of these names; all where none is named. Raises `UsageError` `unknown_model`."""
    if not names:
        return [*catalog.entries, *catalog.generators.entries]
    return [catalog.generators.find(name) or catalog.get(name) for name in dict.fromkeys(names)]


def to_pull(catalog: Catalog, names: Sequence[str]) -> list[Weighed]:
    """Those to fetch. Of all of them a generator counts where its files are pinned and its licence is accepted.

    Raises `UsageError` `unknown_model`, and `licence_not_accepted` for one that is named.
    """
    ready = [each for each in catalog.generators.entries if each.files and catalog.generators.accepts(each)]
    if not names:
        return [*catalog.entries, *ready]
    for name in names:
        if found := catalog.generators.find(name):
            catalog.generators.check_licence(found)
    return meant(catalog, names)


def weights_of(puller: Puller, entry: Weighed) -> str:
    """The worst state of the entry's files, by their names and sizes only."""
    from stemsvc.models.store import State

    states = [puller.store.snapshot(file) for file in entry.files]
    worst = next((state.value for state in (State.CORRUPT, State.MISSING) if state in states), State.HERE.value)
    return worst if states else "not pinned"


def show_generators(catalog: Catalog, puller: Puller) -> None:
    """Print the generators, and what is to do before they can be used."""
    listing = Listing("generator", "weights", Column("size", right=True), "licence", "accepted", "channels", "melody")
    for entry in catalog.generators.entries:
        size = f"{entry.size / 1e6:.0f} MB" if entry.size else "?"
        accepted = "yes" if catalog.generators.accepts(entry) else "no"
        melody = "yes" if entry.follows_melody else "no"
        state = weights_of(puller, entry)
        listing.add(entry.name, state, size, entry.licence_words, accepted, str(entry.channels), melody)
    listing.show()
    for licence in dict.fromkeys(
        entry.licence for entry in catalog.generators.entries if not catalog.generators.accepts(entry)
    ):
        click.echo(f"{licence} forbids commercial use: STEMSVC_ACCEPT_LICENCES={licence} accepts that")


def generator_facts(catalog: Catalog, entry: GeneratorEntry, state: str) -> dict[str, Any]:
    """An entry for programs."""
    return {
        "name": entry.name,
        "summary": entry.summary,
        "family": entry.family,
        "makes_music": True,
        "weights": state,
        "bytes": entry.size,
        "licence": entry.licence,
        "licence_doubt": entry.licence_doubt,
        "accepted": catalog.generators.accepts(entry),
        "deprecated": entry.deprecated,
        "channels": entry.channels,
        "follows_melody": entry.follows_melody,
    }
