"""bytes that clients store, and audio that devices computed in vain"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

STORED = sa.text("stored_bytes > 0")
# What jobs store already. A process of an older release counts nothing for the jobs that it moves.
ENDED = {
    "sqlite": """UPDATE jobs SET stored_bytes =
        coalesce((SELECT sum(json_extract(value, '$.bytes')) FROM json_each(outputs)), 0) WHERE state = 'succeeded'""",
    "postgresql": """UPDATE jobs SET stored_bytes =
        coalesce((SELECT sum((value->>'bytes')::bigint) FROM json_each(outputs)), 0) WHERE state = 'succeeded'""",
}
LIVE = {
    "sqlite": """UPDATE jobs SET stored_bytes =
        coalesce((SELECT sum(json_extract(value, '$.bytes')) FROM json_each(inputs)), input_bytes)
        WHERE state IN ('queued', 'running')""",
    "postgresql": """UPDATE jobs SET stored_bytes =
        coalesce((SELECT sum((value->>'bytes')::bigint) FROM json_array_elements(inputs)), input_bytes)
        WHERE state IN ('queued', 'running')""",
}


def upgrade() -> None:
    op.add_column("jobs", sa.Column("stored_bytes", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("api_keys", sa.Column("max_stored_bytes", sa.BigInteger))
    op.add_column("uploads", sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("usage", sa.Column("used_seconds", sa.Double, nullable=False, server_default="0"))
    dialect = op.get_bind().dialect.name
    op.execute(ENDED[dialect])
    op.execute(LIVE[dialect])
    op.create_index("jobs_stored", "jobs", ["owner", "stored_bytes"], sqlite_where=STORED, postgresql_where=STORED)
    op.create_index("uploads_by_owner", "uploads", ["owner"])


def downgrade() -> None:
    op.drop_index("uploads_by_owner", "uploads")
    op.drop_index("jobs_stored", "jobs")
    op.drop_column("usage", "used_seconds")
    op.drop_column("uploads", "bytes")
    op.drop_column("api_keys", "max_stored_bytes")
    op.drop_column("jobs", "stored_bytes")
