"""sessions of pages, and indexes for who asks what happened since a moment"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"

FAILED = sa.text("state = 'failed'")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("sessions_by_key", "sessions", ["key_id", "created_at"])
    op.create_index("sessions_by_end", "sessions", ["expires_at"])
    op.create_index("job_events_by_time", "job_events", ["at"])
    op.create_index("jobs_failed", "jobs", ["finished_at"], sqlite_where=FAILED, postgresql_where=FAILED)


def downgrade() -> None:
    op.drop_index("jobs_failed", "jobs")
    op.drop_index("job_events_by_time", "job_events")
    op.drop_table("sessions")
