"""what a worker reports of its machine and its installation"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("workers", sa.Column("facts", sa.JSON))  # null: a worker of an earlier release


def downgrade() -> None:
    op.drop_column("workers", "facts")
