"""Asks a child with torch what a network is: whether the weights are those of its config, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemsvc.errors import ConvertUnavailable, WeightsUnreadable, revived

SECONDS = 600.0
CHILD = "workers.engine.families.examine"  # by name: only the workers have torch


@dataclass(frozen=True)
class Examined:
    """What a network costs: see `ModelEntry`."""

    cost: float
    memory_mb: int
    parameters: int


def examine(weights: Path, family: str, config: Mapping[str, Any]) -> Examined:
    """Hold a state against its config's network, and predict what that costs.

    Raises `FatalError` `weights_mismatch`, `convert_unavailable` (no torch here).
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as question:
        json.dump({"family": family, "config": config}, question)
        question.flush()
        command = [sys.executable, "-m", CHILD, str(weights), question.name]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
            answer = json.loads(done.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired as error:
            raise WeightsUnreadable(f"{weights.name}: to examine it took longer than {SECONDS:.0f} s") from error
        except (ValueError, IndexError) as error:
            words = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing was said"]
            if any("No module named" in line for line in words):
                raise ConvertUnavailable(
                    "to examine a network needs the worker's packages here: pip install 'stemsvc[worker]'"
                ) from error
            raise WeightsUnreadable(f"{weights.name}: the examination ended: {words[-1][:300]}") from error
    if answer["error"]:
        raise revived(answer["error"])
    return Examined(**answer["examined"])
