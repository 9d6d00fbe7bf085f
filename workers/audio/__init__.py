"""Audio in and out: PyAV reads any container and codec, soxr converts sample rates."""
