"""Audio in and out: any container and codec through PyAV, rates through soxr."""
