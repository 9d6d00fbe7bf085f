"""Faults are injected while real processes work. Then an independent reader looks for lost, doubled and wrong jobs."""
