"""What the views work with: one set of services per process, kept on the Flask app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from stemsvc.catalog import Catalog, load_catalog
from stemsvc.dispatch import Dispatcher
from stemsvc.jobstore import JobStore
from stemsvc.pools import Pool, parse_pools
from stemsvc.queue import Publisher
from stemsvc.settings import Settings
from stemsvc.storage import Storage, open_storage


@dataclass(frozen=True)
class Services:
    """The process's settings and its open ends."""

    settings: Settings
    catalog: Catalog
    pools: list[Pool]
    store: JobStore
    publisher: Publisher
    storage: Storage
    dispatcher: Dispatcher


def make_services(settings: Settings) -> Services:
    """Wire the services from settings; no connection is opened yet."""
    catalog = load_catalog(settings.catalog)
    store, publisher, storage = JobStore(settings.resolved_database_url), Publisher(settings), open_storage(settings)
    pools = parse_pools(settings.pools, catalog.names)
    dispatcher = Dispatcher(
        store, publisher, storage, catalog, pools, settings.max_attempts, settings.republish_seconds
    )
    return Services(settings, catalog, pools, store, publisher, storage, dispatcher)


def services() -> Services:
    """The services of the app that handles this request."""
    return cast(Services, current_app.extensions["stemsvc"])
