"""when a job's segments will be done, and which job it tries again"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("expected_at", sa.Double))
    op.add_column("jobs", sa.Column("retry_of", sa.String(32)))


def downgrade() -> None:
    op.drop_column("jobs", "retry_of")
    op.drop_column("jobs", "expected_at")
