"""The tables of the job store. Changes go through `stemsvc/migrations`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from stemsvc.jobstore.plain_text import PlainText

metadata = sa.MetaData()


def _where(condition: str) -> dict[str, Any]:
    """Options of a partial index."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _queued(message: str = "") -> dict[str, Any]:
    """Options of a partial index over queued jobs: they are looked up all the time, and are few among all jobs."""
    return _where(f"state = 'queued'{message}")


# Times are seconds since the epoch: the same arithmetic on SQLite and PostgreSQL.
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False, server_default="separate"),
    sa.Column("params", sa.JSON(none_as_null=True)),  # null: release 0.1 wrote them into `options`
    sa.Column("options", sa.JSON, nullable=False),  # envelope and encoding
    sa.Column("inputs", sa.JSON(none_as_null=True)),  # null: release 0.1 wrote its one input into `input_*`
    sa.Column("pool", sa.String(128), nullable=False),
    sa.Column("input_key", sa.String(512), nullable=False),
    sa.Column("input_name", sa.String(512), nullable=False),
    sa.Column("input_bytes", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("lease_owner", sa.String(256)),
    sa.Column("lease_expires_at", sa.Double),
    sa.Column("fraction", sa.Double, nullable=False, default=0.0),
    sa.Column("stage", sa.String(32), nullable=False, default="queued"),
    sa.Column("request_id", sa.String(128)),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Column("not_before", sa.Double),
    sa.Column("published_at", sa.Double),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_detail", PlainText),
    sa.Column("source", sa.JSON, nullable=False),
    sa.Column("outputs", sa.JSON, nullable=False),
    sa.Column("previews", sa.JSON(none_as_null=True)),  # null: an earlier release has made the row
    sa.Column("facts", sa.JSON(none_as_null=True)),
    sa.Column("warnings", sa.JSON(none_as_null=True)),  # null: an earlier release has made the row
    sa.Column("owner", sa.String(64), nullable=False, server_default=""),
    sa.Column("next_pool", sa.String(128)),
    sa.Column("input_sha256", sa.String(64)),
    sa.Column("cache_key", sa.String(64)),
    sa.Column("cached", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("manifest_key", sa.String(512)),
    sa.Column("priority", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("cost", sa.Double, nullable=False, server_default="1"),
    sa.Column("turn", sa.Double, nullable=False, server_default="0"),
    sa.Column("trace", sa.String(64)),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False, server_default="0"),  # of its inputs, outputs and previews
    sa.Column("expected_at", sa.Double),
    sa.Column("retry_of", sa.String(32)),  # no foreign key: the job that is tried again may be deleted
    sa.Column("workflow_id", sa.String(32)),  # no foreign key: SQLite can't add one to a table that is there
    sa.Column("step", sa.String(200)),
    sa.Index("jobs_by_workflow", "workflow_id", **_where("workflow_id IS NOT NULL")),
    sa.Index("jobs_by_cache_key", "cache_key"),
    sa.Index("jobs_in_line", "pool", "priority", "turn", "created_at", **_queued()),
    # finds the next job to publish without reading those that are published
    sa.Index("jobs_to_publish", "pool", "priority", "turn", "created_at", **_queued(" AND published_at IS NULL")),
    sa.Index("jobs_published", "pool", "priority", **_queued(" AND published_at IS NOT NULL")),
    sa.Index("jobs_by_state", "state", "created_at"),
    sa.Index("jobs_by_pool", "pool", "state", "finished_at"),
    sa.Index("jobs_by_owner", "owner", "created_at"),
    sa.Index("jobs_failed", "finished_at", **_where("state = 'failed'")),
    # sums up what an owner stores without reading the jobs
    sa.Index("jobs_stored", "owner", "stored_bytes", **_where("stored_bytes > 0")),
)

events = sa.Table(
    "job_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("from_state", sa.String(16)),
    sa.Column("to_state", sa.String(16), nullable=False),
    sa.Column("why", PlainText, nullable=False),
    sa.Column("worker", sa.String(256)),
    sa.Index("job_events_by_job", "job_id", "id"),
    sa.Index("job_events_by_time", "at"),
)

# Graphs of jobs. `live` counts the jobs that have not ended, `failed` and `canceled` those that did so and count.
workflows = sa.Table(
    "workflows",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("name", sa.String(512), nullable=False),
    sa.Column("recipe", sa.String(64)),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("jobs", sa.Integer, nullable=False),
    sa.Column("live", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("canceled", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("ended_at", sa.Double),
    sa.Column("request_id", sa.String(128)),
    sa.Column("retry_of", sa.String(32)),
    sa.Index("workflows_by_owner", "owner", "created_at"),
    sa.Index("workflows_by_state", "state", "ended_at"),
)

# A job of a workflow waits for another one of it. The row goes when that one ends.
job_waits = sa.Table(
    "job_waits",
    metadata,
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("waits_for", sa.String(32), primary_key=True),
    sa.Index("job_waits_by_other", "waits_for"),
)

# The hosts that a job's links are fetched from. A job that an earlier release has made has none here.
source_hosts = sa.Table(
    "source_hosts",
    metadata,
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("owner", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Index("idempotency_keys_by_job", "job_id"),
)


api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("revoked_at", sa.Double),
    sa.Column("max_waiting", sa.Integer),
    sa.Column("minutes_per_day", sa.Double),
    sa.Column("max_stored_bytes", sa.BigInteger),
    sa.Column("max_priority", sa.SmallInteger),  # null: release 0.2 made the key, with which any priority could be sent
    sa.Column("expires_at", sa.Double),
    sa.Column("old_hash", sa.String(64)),  # of the secret before the last rotation
    sa.Column("old_until", sa.Double),
    sa.Column("waived", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("retention_seconds", sa.Double),  # of its jobs' files; null: what the settings say
)

# The sessions of pages: who has the cookie calls with the key. Neither the cookie's token nor the key's secret is here.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),  # of the token
    sa.Column("key_id", sa.String(16), nullable=False),
    sa.Column("key_hash", sa.String(64), nullable=False),  # of the secret that it was made with
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Index("sessions_by_key", "key_id", "created_at"),
    sa.Index("sessions_by_end", "expires_at"),
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("filename", sa.String(512), nullable=False),
    sa.Column("max_bytes", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("part_bytes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("begun", sa.String(1024), nullable=False, server_default=""),
    sa.Index("uploads_by_end", "expires_at"),
    sa.Index("uploads_by_owner", "owner"),
)

# What each job cost. A row stays when its job is deleted.
usage = sa.Table(
    "usage",
    metadata,
    sa.Column("job_id", sa.String(32), primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False, server_default="separate"),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("accepted_at", sa.Double, nullable=False),
    sa.Column("ended_at", sa.Double),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("cached", sa.Boolean, nullable=False),
    sa.Column("track_seconds", sa.Double, nullable=False),
    sa.Column("device_seconds", sa.Double, nullable=False),
    sa.Column("used_seconds", sa.Double, nullable=False, server_default="0"),  # of the track, that a device computed
    sa.Index("usage_by_owner", "owner", "accepted_at"),
)

# The counts and the clock of each queue where jobs wait, and of each owner's share in it; see `jobstore.fair_queue`.
# A row of `lines` is a queue.
lines = sa.Table(
    "lines",
    metadata,
    sa.Column("pool", sa.String(128), primary_key=True),
    sa.Column("priority", sa.SmallInteger, primary_key=True),
    sa.Column("waiting", sa.Integer, nullable=False),
    sa.Column("published", sa.Integer, nullable=False),
    sa.Column("clock", sa.Double, nullable=False),
)

shares = sa.Table(
    "shares",
    metadata,
    sa.Column("pool", sa.String(128), primary_key=True),
    sa.Column("priority", sa.SmallInteger, primary_key=True),
    sa.Column("owner", sa.String(64), primary_key=True),
    sa.Column("waiting", sa.Integer, nullable=False),
    sa.Column("turn", sa.Double, nullable=False),
    sa.Index("shares_by_owner", "owner"),
)

# The pool processes of all workers, and what each reports of itself.
workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String(256), primary_key=True),
    sa.Column("pools", sa.JSON, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("device", sa.String(16), nullable=False),
    sa.Column("device_name", sa.String(200), nullable=False),
    sa.Column("free_memory_mb", sa.Integer),
    sa.Column("kinds", sa.JSON(none_as_null=True)),  # null: a worker of release 0.1, which can only separate
    sa.Column("models", sa.JSON, nullable=False),
    sa.Column("job_ids", sa.JSON, nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("facts", sa.JSON(none_as_null=True)),  # null: a worker of an earlier release
    sa.Column("started_at", sa.Double, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Index("workers_by_end", "expires_at"),
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("first_at", sa.Double, nullable=False),
    sa.Column("next_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("detail", PlainText),
    sa.Column("host", sa.String(255)),  # null: release 0.1 has made the row
    sa.Column("lease", sa.String(32)),  # of the try that is at work
    sa.Column("lease_expires_at", sa.Double),
    sa.Index("webhook_deliveries_due", "state", "next_at"),
    sa.Index("webhook_deliveries_at_work", "lease_expires_at"),
    sa.Index("webhook_deliveries_by_job", "job_id"),
)

webhook_secrets = sa.Table(
    "webhook_secrets",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("secret", sa.String(500), nullable=False),  # encrypted where there is a key: `stemsvc.accounts.cipher`
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double),
    sa.Index("webhook_secrets_by_owner", "owner"),
)


# Pools that take no new work.
pool_drains = sa.Table(
    "pool_drains",
    metadata,
    sa.Column("pool", sa.String(128), primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("why", sa.String(200), nullable=False),
)

# What admins did. No row refers to another table: the log stays when keys and jobs go.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("via", sa.String(16), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("target", sa.String(200), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("request_id", sa.String(128)),
    sa.Index("audit_by_time", "at"),
    sa.Index("audit_by_target", "target", "id"),
)

# Every live process of the service, and what it runs with: `stemsvc check parity` compares them.
processes = sa.Table(
    "processes",
    metadata,
    sa.Column("id", sa.String(256), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("started_at", sa.Double, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Index("processes_by_end", "expires_at"),
)


# What clients said and were told. `revision` counts the writes of a conversation, `messages` its messages so far; a
# message has the revision that wrote it last.
conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("auto_run", sa.Boolean, nullable=False),
    sa.Column("state", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Index("conversations_by_owner", "owner", "updated_at"),
    sa.Index("conversations_by_time", "updated_at"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column(
        "conversation_id", sa.String(32), sa.ForeignKey(conversations.c.id, ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("text", PlainText, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("workflow_id", sa.String(32)),  # no foreign key: the workflow may be deleted
    sa.Column("client_key", sa.String(300)),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Index(
        "messages_by_client_key", "conversation_id", "client_key", unique=True, **_where("client_key IS NOT NULL")
    ),
    sa.Index("messages_by_revision", "conversation_id", "revision", "number"),
)

# What the messages of an owner have cost in a month, such as `2026-11` (UTC). It stays when conversations are erased.
chat_spending = sa.Table(
    "chat_spending",
    metadata,
    sa.Column("owner", sa.String(64), primary_key=True),
    sa.Column("month", sa.String(7), primary_key=True),
    sa.Column("dollars", sa.Double, nullable=False),
    sa.Column("tokens_read", sa.BigInteger, nullable=False),
    sa.Column("tokens_written", sa.BigInteger, nullable=False),
)


class db_now(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """Seconds since the epoch by the database's own clock, so that hosts with wrong clocks agree on leases."""

    type = sa.Double()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _sqlite_now(element: db_now, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(db_now, "postgresql")
def _postgresql_now(element: db_now, compiler: Any, **kw: Any) -> str:
    # clock_timestamp moves on inside a transaction, now() does not
    return "extract(epoch from clock_timestamp())::double precision"
