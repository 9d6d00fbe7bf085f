"""What this machine has: the devices that torch finds, asked for in a child process, and memory."""

from __future__ import annotations

import os
import subprocess
import sys

from stemsvc.observe.loggers import get_logger

log = get_logger()
SECONDS = 60.0  # torch may be read from a cold disk


def find_devices() -> list[str]:
    """Devices, the best first; the CPU alone where the workers' packages can't tell."""
    command = [sys.executable, "-m", "stemsvc", "worker", "--list-devices"]  # only the workers have torch
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("the devices of this machine are not known", error=str(error))
        return ["cpu"]
    return done.stdout.split() or ["cpu"]


def memory_mb() -> int:
    """The machine's memory in MB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
