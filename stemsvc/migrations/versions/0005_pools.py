"""priorities, fair lines, live workers, traces"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

JOBS = (
    sa.Column("priority", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("cost", sa.Double, nullable=False, server_default="1"),
    sa.Column("turn", sa.Double, nullable=False, server_default="0"),
    sa.Column("trace", sa.String(64)),
)
WAITING = "state = 'queued'"
PUBLISHED = "state = 'queued' AND published_at IS NOT NULL"


def upgrade() -> None:
    for column in JOBS:
        op.add_column("jobs", column)
    for name, columns, rows in (
        ("jobs_in_line", ["pool", "priority", "turn", "created_at"], WAITING),
        ("jobs_published", ["pool", "priority"], PUBLISHED),
    ):
        op.create_index(name, "jobs", columns, sqlite_where=sa.text(rows), postgresql_where=sa.text(rows))
    op.create_table(
        "lines",
        sa.Column("pool", sa.String(128), primary_key=True),
        sa.Column("priority", sa.SmallInteger, primary_key=True),
        sa.Column("waiting", sa.Integer, nullable=False),
        sa.Column("published", sa.Integer, nullable=False),
        sa.Column("clock", sa.Double, nullable=False),
    )
    op.create_table(
        "shares",
        sa.Column("pool", sa.String(128), primary_key=True),
        sa.Column("priority", sa.SmallInteger, primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("waiting", sa.Integer, nullable=False),
        sa.Column("turn", sa.Double, nullable=False),
        sa.Index("shares_by_owner", "owner"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(256), primary_key=True),
        sa.Column("pools", sa.JSON, nullable=False),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("device", sa.String(16), nullable=False),
        sa.Column("device_name", sa.String(200), nullable=False),
        sa.Column("free_memory_mb", sa.Integer),
        sa.Column("models", sa.JSON, nullable=False),
        sa.Column("job_ids", sa.JSON, nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Index("workers_by_end", "expires_at"),
    )
    # jobs that wait while this runs keep the order in which they came
    op.execute(
        "INSERT INTO lines (pool, priority, waiting, published, clock) "
        "SELECT pool, 1, count(*), count(published_at), 0 FROM jobs WHERE state = 'queued' GROUP BY pool"
    )
    op.execute(
        "INSERT INTO shares (pool, priority, owner, waiting, turn) "
        "SELECT pool, 1, owner, count(*), 0 FROM jobs WHERE state = 'queued' GROUP BY pool, owner"
    )


def downgrade() -> None:
    for table in ("workers", "shares", "lines"):
        op.drop_table(table)
    for index in ("jobs_published", "jobs_in_line"):
        op.drop_index(index, "jobs")
    with op.batch_alter_table("jobs") as batch:
        for column in JOBS:
            batch.drop_column(column.name)
