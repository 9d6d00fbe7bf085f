"""sources, cached results, uploads, webhooks, usage and quotas"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

JOBS = (
    sa.Column("next_pool", sa.String(128)),
    sa.Column("input_sha256", sa.String(64)),
    sa.Column("cache_key", sa.String(64)),
    sa.Column("cached", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("manifest_key", sa.String(512)),
)
KEYS = (sa.Column("max_waiting", sa.Integer), sa.Column("minutes_per_day", sa.Double))


def upgrade() -> None:
    for column in JOBS:
        op.add_column("jobs", column)
    for limit in KEYS:
        op.add_column("api_keys", limit)
    op.create_index("jobs_by_cache_key", "jobs", ["cache_key"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("filename", sa.String(512), nullable=False),
        sa.Column("max_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Index("uploads_by_end", "expires_at"),
    )
    op.create_table(
        "usage",
        sa.Column("job_id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("accepted_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cached", sa.Boolean, nullable=False),
        sa.Column("track_seconds", sa.Double, nullable=False),
        sa.Column("device_seconds", sa.Double, nullable=False),
        sa.Index("usage_by_owner", "owner", "accepted_at"),
    )
    op.create_table(
        "webhook_deliveries",
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
        sa.Column("detail", sa.Text),
        sa.Index("webhook_deliveries_due", "state", "next_at"),
        sa.Index("webhook_deliveries_by_job", "job_id"),
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("secret", sa.String(100), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Index("webhook_secrets_by_owner", "owner"),
    )


def downgrade() -> None:
    for table in ("webhook_secrets", "webhook_deliveries", "usage", "uploads"):
        op.drop_table(table)
    op.drop_index("jobs_by_cache_key", "jobs")
    for table, columns in (("jobs", JOBS), ("api_keys", KEYS)):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)
