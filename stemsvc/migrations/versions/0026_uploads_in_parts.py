"""uploads that come in parts"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.add_column("uploads", sa.Column("part_bytes", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("uploads", sa.Column("begun", sa.String(1024), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("uploads") as table:
        table.drop_column("begun")
        table.drop_column("part_bytes")
