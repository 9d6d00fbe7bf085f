"""Everything heavy: audio in and out, the separation engine, the Celery worker. Imports `stemsvc`, never `api`."""
