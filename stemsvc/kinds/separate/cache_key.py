"""By what two jobs are the same: the track's bytes, the options that are heard, the weights, the code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from stemsvc.jobs.record import JobOptions

# Raise it where the same options, weights and track give other samples, or other files, than before.
CODE_VERSION = 1
UNHEARD = ("filename_template", "metadata", "source_url", "webhook_url", "webhook_events", "priority", "cache")


def cache_key(input_sha256: str, options: JobOptions, device: str, weights: list[str]) -> str:
    """A hash of all that a result depends on. `weights` are the sha256 of the model's files, in order."""
    heard = {name: value for name, value in asdict(options).items() if name not in UNHEARD}
    heard["device"] = device  # what `auto` came to
    told = json.dumps([CODE_VERSION, input_sha256, heard, weights], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
