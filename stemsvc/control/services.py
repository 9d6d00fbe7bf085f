"""What the api, the dispatcher and the operator's commands work with, made from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.control.accept import Acceptance, Rules
from stemsvc.control.dispatcher import Dispatcher
from stemsvc.control.follow import Watch
from stemsvc.control.guard import Guard
from stemsvc.control.janitor import Janitor
from stemsvc.control.publish import Sender
from stemsvc.control.route import Router
from stemsvc.control.subscribers import open_store
from stemsvc.control.uploads import ClientUploads
from stemsvc.errors import BadSetting
from stemsvc.jobs.pools import Pool
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.kinds.limits import Limits
from stemsvc.kinds.registry import configured_pools
from stemsvc.models.catalog import Catalog, load_catalog
from stemsvc.queue.celery import Publisher
from stemsvc.queue.changes import Changes
from stemsvc.settings import Settings
from stemsvc.storage import Storage, open_storage


@dataclass(frozen=True)
class Services:
    """A process's settings and what it works with; `close` it at the end."""

    settings: Settings
    catalog: Catalog
    pools: list[Pool]
    store: JobStore
    publisher: Publisher
    storage: Storage
    sender: Sender
    acceptance: Acceptance
    uploads: ClientUploads
    dispatcher: Dispatcher
    janitor: Janitor
    changes: Changes
    watch: Watch

    def close(self) -> None:
        """Send what is due, then end every thread and connection."""
        self.watch.close()
        self.changes.close()
        self.sender.close()
        self.publisher.close()
        self.store.close()


def open_services(settings: Settings) -> Services:
    """Make the services; no connection is opened yet."""
    catalog = load_catalog(settings.catalog, settings.default_model)
    changes = Changes(settings.broker_url)
    storage = open_storage(settings)
    store = open_store(settings, storage, changes)
    publisher = Publisher(settings)
    pools = configured_pools(settings.pools, catalog)
    rules = Rules(
        Bounds(
            settings.max_waiting_per_pool,
            settings.max_waiting_per_key,
            stored_bytes=settings.max_stored_bytes_per_key,
        ),
        job_limits(settings),
        settings.max_attempts,
        settings.min_free_bytes,
        open_guard(settings),
    )
    sender = Sender(store.outbox, publisher)
    router = Router(store, catalog, pools, patience=settings.reroute_seconds, refuse=settings.refuse_without_worker)
    acceptance = Acceptance(store, sender, storage, catalog, router, rules)
    uploads = ClientUploads(store.uploads, storage, settings.min_free_bytes)
    dispatcher = Dispatcher(store, publisher, sender, router, settings.republish_seconds)
    janitor = Janitor(
        store,
        storage,
        settings.stems_ttl_seconds,
        settings.rows_ttl_seconds,
        settings.idempotency_ttl_seconds,
        settings.usage_ttl_seconds,
    )
    watch = Watch(store, changes)
    return Services(
        settings,
        catalog,
        pools,
        store,
        publisher,
        storage,
        sender,
        acceptance,
        uploads,
        dispatcher,
        janitor,
        changes,
        watch,
    )


def open_guard(settings: Settings) -> Guard:
    """The guard that checks the addresses clients give. Raises `FatalError` `bad_setting`."""
    try:
        return Guard(settings.allowed_networks)
    except ValueError as error:
        raise BadSetting(f"STEMSVC_ALLOWED_NETWORKS: {error}") from error


def job_limits(settings: Settings) -> Limits:
    """The limits of a job; those of its pool may be narrower."""
    return Limits(settings.max_duration_seconds, float(settings.job_time_limit_seconds), settings.time_limit_slack)
