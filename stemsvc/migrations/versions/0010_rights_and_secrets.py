"""what priority a key may send, and room for encrypted secrets"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("max_priority", sa.SmallInteger))
    with op.batch_alter_table("webhook_secrets") as batch:
        batch.alter_column("secret", type_=sa.String(500), existing_type=sa.String(100), existing_nullable=False)


def downgrade() -> None:
    # the wide column stays: the release before takes it, and encrypted secrets may still be in it
    with op.batch_alter_table("api_keys") as batch:
        batch.drop_column("max_priority")
