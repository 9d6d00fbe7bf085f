"""conversations and their messages"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("auto_run", sa.Boolean, nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_index("conversations_by_owner", "conversations", ["owner", "updated_at"])
    op.create_index("conversations_by_time", "conversations", ["updated_at"])
    conversation = sa.ForeignKey("conversations.id", ondelete="CASCADE")
    op.create_table(
        "messages",
        sa.Column("conversation_id", sa.String(32), conversation, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("workflow_id", sa.String(32)),
        sa.Column("client_key", sa.String(300)),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    named = sa.text("client_key IS NOT NULL")
    op.create_index(
        "messages_by_client_key", "messages", ["conversation_id", "client_key"], unique=True,
        sqlite_where=named, postgresql_where=named,
    )  # fmt: skip
    op.create_index("messages_by_revision", "messages", ["conversation_id", "revision", "number"])


def downgrade() -> None:
    op.drop_table("messages")
    op.drop_table("conversations")
