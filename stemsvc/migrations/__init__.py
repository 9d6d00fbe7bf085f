"""Alembic's folder: the history of the job store's schema."""
