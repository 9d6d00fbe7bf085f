"""One worker process on its machine."""
