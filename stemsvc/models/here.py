"""The catalog for work in this process, which chooses no model whose weights can't be had on this machine."""

from __future__ import annotations

import importlib.util

from stemsvc.models.available import Availability
from stemsvc.models.catalog import Catalog, load_catalog
from stemsvc.models.generators import LIBRARY, GeneratorEntry, not_accepted
from stemsvc.models.pull import open_puller
from stemsvc.models.store import State
from stemsvc.settings import Settings


def catalog_here(settings: Settings) -> Catalog:
    """The settings' catalog. Raises `FatalError` `bad_catalog`."""
    catalog = load_catalog(settings.catalog, settings.default_model, accepted=settings.licences)
    return aware_here(catalog, settings)


def aware_here(catalog: Catalog, settings: Settings) -> Catalog:
    """The catalog that chooses no model that lacks here, and fetches no slow one that nobody has named."""
    return catalog.aware_of(lambda device: lacking_here(catalog, settings), lambda device: _unasked(catalog, settings))


def _unasked(catalog: Catalog, settings: Settings) -> dict[str, str]:
    """The slow models whose weights are not on this machine: they come when somebody asks for them by their names."""
    store = open_puller(settings).store
    found = {}
    for entry in catalog.entries:
        fetched = [file for file in entry.files if file.path is None]
        if entry.slow and any(store.snapshot(file) is not State.HERE for file in fetched):
            found[entry.name] = f"{entry.slowness}, so only after `stemsvc models pull {entry.name}`"
    return found


def lacking_here(catalog: Catalog, settings: Settings) -> dict[str, str]:
    """The models whose weights are not on this machine and can't be fetched, as far as it is known, and why."""
    known = Availability(open_puller(settings))
    refused = {entry.name: why for entry in catalog.entries if (why := known.refused(entry))}
    generators = {entry.name: _lacking(entry, catalog, known) for entry in catalog.generators.entries}
    return {**refused, **{name: why for name, why in generators.items() if why}}


def _lacking(entry: GeneratorEntry, catalog: Catalog, known: Availability) -> str | None:
    if not catalog.generators.accepts(entry):
        return not_accepted(entry)
    if importlib.util.find_spec(LIBRARY) is None:
        return f"{LIBRARY} is not installed here: install stemsvc[musicgen]"
    return known.refused(entry)
