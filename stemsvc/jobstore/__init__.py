"""The job store: SQL tables, the connection, and every legal write to a job's row."""

from stemsvc.jobstore.store import JobStore as JobStore
