"""graphs of jobs, and which job waits for which"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("workflow_id", sa.String(32)))
    op.add_column("jobs", sa.Column("step", sa.String(200)))
    known = sa.text("workflow_id IS NOT NULL")
    op.create_index("jobs_by_workflow", "jobs", ["workflow_id"], sqlite_where=known, postgresql_where=known)
    op.create_table(
        "workflows",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("recipe", sa.String(64)),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("jobs", sa.Integer, nullable=False),
        sa.Column("live", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("canceled", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("request_id", sa.String(128)),
        sa.Column("retry_of", sa.String(32)),
    )
    op.create_index("workflows_by_owner", "workflows", ["owner", "created_at"])
    op.create_index("workflows_by_state", "workflows", ["state", "ended_at"])
    op.create_table(
        "job_waits",
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("waits_for", sa.String(32), primary_key=True),
    )
    op.create_index("job_waits_by_other", "job_waits", ["waits_for"])


def downgrade() -> None:
    op.drop_table("job_waits")
    op.drop_table("workflows")
    op.drop_index("jobs_by_workflow", "jobs")
    op.drop_column("jobs", "step")
    op.drop_column("jobs", "workflow_id")
