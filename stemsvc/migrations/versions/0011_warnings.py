"""what a job warns of"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("warnings", sa.JSON))  # null: an earlier release has made the row


def downgrade() -> None:
    op.drop_column("jobs", "warnings")
