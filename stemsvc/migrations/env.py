"""Alembic's entry: runs the revisions over the connection that `stemsvc.jobstore.engine.migrate` hands in."""

from alembic import context

from stemsvc.jobstore.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
