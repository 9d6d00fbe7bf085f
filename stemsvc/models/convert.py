"""Converts an upstream checkpoint into safetensors, in a child process: to read a pickle is to run a program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from stemsvc.errors import ConvertUnavailable, WeightsUnreadable, revived

SECONDS = 600.0
CHILD = "workers.engine.convert"  # by name: only the workers have torch


def convert(source: Path, target: Path) -> None:
    """Write the network of the checkpoint `source` into the safetensors file `target`.

    Raises `FatalError` `weights_refused` (the pickle names what no checkpoint of demucs needs), `weights_unreadable`,
    `convert_unavailable` (no torch here).
    """
    command = [sys.executable, "-m", CHILD, str(source), str(target)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise WeightsUnreadable(f"{source.name}: the conversion took longer than {SECONDS:.0f} s") from error
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        if any("No module named" in line for line in words):
            raise ConvertUnavailable(
                f"{source.name} must be converted, which needs the worker's packages here: "
                "pip install 'stemsvc[worker]'",
            ) from error
        last = words[-1] if words else f"exit status {done.returncode}"
        raise WeightsUnreadable(f"{source.name}: the conversion ended: {last[:300]}") from error
    if refusal := answer["error"]:
        raise revived({**refusal, "detail": f"{source.name}: {refusal['detail']}"})
