"""kinds of jobs"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("kind", sa.String(64), nullable=False, server_default="separate"))
    for name in ("params", "inputs", "facts"):  # what release 0.1 wrote is read as it is
        op.add_column("jobs", sa.Column(name, sa.JSON))
    op.add_column("usage", sa.Column("kind", sa.String(64), nullable=False, server_default="separate"))
    op.add_column("workers", sa.Column("kinds", sa.JSON))


def downgrade() -> None:
    op.drop_column("workers", "kinds")
    op.drop_column("usage", "kind")
    for name in ("facts", "inputs", "params", "kind"):
        op.drop_column("jobs", name)
