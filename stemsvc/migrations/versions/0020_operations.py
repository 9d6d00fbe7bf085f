"""drained pools, the audit log, retention of a key's files, and what live processes run with"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "pool_drains",
        sa.Column("pool", sa.String(128), primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("why", sa.String(200), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("request_id", sa.String(128)),
    )
    op.create_index("audit_by_time", "audit", ["at"])
    op.create_index("audit_by_target", "audit", ["target", "id"])
    op.create_table(
        "processes",
        sa.Column("id", sa.String(256), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("processes_by_end", "processes", ["expires_at"])
    op.add_column("api_keys", sa.Column("retention_seconds", sa.Double))  # null: what the settings say


def downgrade() -> None:
    op.drop_column("api_keys", "retention_seconds")
    op.drop_table("processes")
    op.drop_table("audit")
    op.drop_table("pool_drains")
