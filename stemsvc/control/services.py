"""What the api, the dispatcher and the operator's commands work with, made from the settings."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stemsvc.accounts.retention import Retention
from stemsvc.control.accept import Acceptance, Rules
from stemsvc.control.conversations import Conversations
from stemsvc.control.dispatcher import Dispatcher
from stemsvc.control.feeds import Feeds
from stemsvc.control.follow import Watch
from stemsvc.control.guard import Guard
from stemsvc.control.janitor import Janitor
from stemsvc.control.job_outputs import JobOutputs
from stemsvc.control.model_replies import ModelReplies
from stemsvc.control.plan import Planner
from stemsvc.control.publish import Sender
from stemsvc.control.route import Router
from stemsvc.control.servable import slow, unserved
from stemsvc.control.subscribers import open_store
from stemsvc.control.uploads import ClientUploads
from stemsvc.control.workflows import WorkflowAcceptance
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
from stemsvc.storage import Storage, open_signer, open_storage
from stemsvc.storage.signing import Signer
from stemsvc.workflows.recipes import Recipes, load_recipes


@dataclass(frozen=True)
class Services:
    """A process's settings and what it works with; `close` it at the end."""

    settings: Settings
    catalog: Catalog
    pools: list[Pool]
    store: JobStore
    publisher: Publisher
    storage: Storage
    signer: Signer
    sender: Sender
    acceptance: Acceptance
    uploads: ClientUploads
    outputs: JobOutputs
    workflows: WorkflowAcceptance
    conversations: Conversations
    planner: Planner
    recipes: Recipes
    dispatcher: Dispatcher
    janitor: Janitor
    changes: Changes
    retention: Retention
    watch: Watch
    feeds: Feeds

    def end_streams(self) -> None:
        """End every stream of events: clients come back to another process."""
        self.watch.close()
        self.feeds.close()

    def close(self) -> None:
        """Send what is due, then end every thread and connection."""
        self.end_streams()
        self.changes.close()
        self.sender.close()
        self.publisher.close()
        self.store.close()


def open_services(settings: Settings) -> Services:
    """Make the services; no connection is opened yet."""
    models = load_catalog(settings.catalog, settings.default_model, accepted=settings.licences)
    changes = Changes(settings.broker_url)
    storage = open_storage(settings)
    store = open_store(settings, storage, changes)
    publisher = Publisher(settings)
    pools = configured_pools(settings.pools, models)
    limited = models.limited_to(_servable(models, pools))
    catalog = limited.aware_of(unserved(limited, pools, store), slow(limited, pools))
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
    outputs = JobOutputs(store)
    workflows = WorkflowAcceptance(store, storage, sender, acceptance, outputs)
    dispatcher = Dispatcher(store, publisher, sender, router, settings.republish_seconds)
    janitor = Janitor(
        store,
        storage,
        settings.stems_ttl_seconds,
        settings.rows_ttl_seconds,
        settings.idempotency_ttl_seconds,
        settings.usage_ttl_seconds,
        settings.retry_ttl_seconds,
        settings.audit_ttl_seconds,
        settings.conversations_ttl_seconds,
    )
    watch = Watch(store, changes)
    model_replies = ModelReplies(store, settings)
    return Services(
        settings,
        catalog,
        pools,
        store,
        publisher,
        storage,
        open_signer(settings),
        sender,
        acceptance,
        uploads,
        outputs,
        workflows,
        Conversations(store, workflows, model_replies),
        Planner(store, storage, workflows, settings.price_per_device_hour),
        load_recipes(settings.recipes),
        dispatcher,
        janitor,
        changes,
        Retention(settings.stems_ttl_seconds, store.keys.retentions),
        watch,
        Feeds(store, changes),
    )


def _servable(catalog: Catalog, pools: list[Pool]) -> set[str]:
    """The models that a pool serves and has the memory for."""
    return {
        entry.name
        for entry in catalog.entries
        for pool in pools
        if entry.name in pool.models and (pool.memory_mb or math.inf) >= entry.memory_mb
    }


def open_guard(settings: Settings) -> Guard:
    """The guard that checks the addresses clients give. Raises `FatalError` `bad_setting`."""
    try:
        return Guard(settings.allowed_networks)
    except ValueError as error:
        raise BadSetting(f"STEMSVC_ALLOWED_NETWORKS: {error}") from error


def job_limits(settings: Settings) -> Limits:
    """The limits of a job; those of its pool may be narrower."""
    return Limits(settings.max_duration_seconds, float(settings.job_time_limit_seconds), settings.time_limit_slack)
