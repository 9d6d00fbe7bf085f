"""keys that expire, that are rotated, and that others no longer need"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("expires_at", sa.Double))
    op.add_column("api_keys", sa.Column("old_hash", sa.String(64)))
    op.add_column("api_keys", sa.Column("old_until", sa.Double))
    op.add_column("api_keys", sa.Column("waived", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("api_keys") as batch:
        for name in ("expires_at", "old_hash", "old_until", "waived"):
            batch.drop_column(name)
