"""leases of webhook deliveries"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("webhook_deliveries", sa.Column("host", sa.String(255)))  # null: release 0.1 has made the row
    op.add_column("webhook_deliveries", sa.Column("lease", sa.String(32)))
    op.add_column("webhook_deliveries", sa.Column("lease_expires_at", sa.Double))
    op.create_index("webhook_deliveries_at_work", "webhook_deliveries", ["lease_expires_at"])


def downgrade() -> None:
    op.drop_index("webhook_deliveries_at_work", "webhook_deliveries")
    for name in ("lease_expires_at", "lease", "host"):
        op.drop_column("webhook_deliveries", name)
