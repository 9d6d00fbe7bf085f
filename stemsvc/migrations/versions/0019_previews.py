"""what players draw and stream of a job"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("previews", sa.JSON))  # null: an earlier release has made the row


def downgrade() -> None:
    op.drop_column("jobs", "previews")
