"""The catalog for work in this process, which chooses no model whose weights can't be had on this machine."""

from __future__ import annotations

from stemsvc.models.available import Availability
from stemsvc.models.catalog import Catalog, load_catalog
from stemsvc.models.pull import open_puller
from stemsvc.settings import Settings


def catalog_here(settings: Settings) -> Catalog:
    """The settings' catalog. Raises `FatalError` `bad_catalog`."""
    catalog = load_catalog(settings.catalog, settings.default_model)
    return catalog.aware_of(lambda device: lacking_here(catalog, settings))


def lacking_here(catalog: Catalog, settings: Settings) -> dict[str, str]:
    """The models whose weights are not on this machine and can't be fetched, as far as it is known, and why."""
    known = Availability(open_puller(settings))
    return {entry.name: why for entry in catalog.entries if (why := known.refused(entry))}
