"""what the messages of each key have cost, by month"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "chat_spending",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("month", sa.String(7), primary_key=True),
        sa.Column("dollars", sa.Double, nullable=False),
        sa.Column("tokens_read", sa.BigInteger, nullable=False),
        sa.Column("tokens_written", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("chat_spending")
