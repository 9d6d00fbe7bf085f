"""an index for who is published next, which need not step over those who are"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

UNPUBLISHED = sa.text("state = 'queued' AND published_at IS NULL")


def upgrade() -> None:
    op.create_index(
        "jobs_to_publish",
        "jobs",
        ["pool", "priority", "turn", "created_at"],
        sqlite_where=UNPUBLISHED,
        postgresql_where=UNPUBLISHED,
    )


def downgrade() -> None:
    op.drop_index("jobs_to_publish", "jobs")
