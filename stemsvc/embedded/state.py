"""Which stack runs over a data folder."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from stemsvc.host.locks import take
from stemsvc.settings import Settings


@dataclass(frozen=True)
class Running:
    """A running stack, as its state file describes it."""

    pid: int
    url: str
    broker_url: str


def state_file(settings: Settings) -> Path:
    """The file in which a running stack writes its process id and URLs."""
    return settings.data_dir / "run" / "stack.json"


def lock_file(settings: Settings) -> Path:
    """The file that a running stack has locked."""
    return settings.data_dir / "run" / "lock"


def logs_folder(settings: Settings) -> Path:
    """The folder of a stack's logs, one for each of its processes."""
    return settings.data_dir / "logs"


def running(settings: Settings) -> Running | None:
    """The stack that runs over this data folder, or None.

    A stack holds the lock of its folder while it runs. A killed stack leaves its state file behind, and its process id
    may be another program's by now. So a state file without the lock does not count.
    """
    try:
        state = Running(**json.loads(state_file(settings).read_text()))
        with lock_file(settings).open("r") as file:
            take(file.fileno(), shared=True)
    except BlockingIOError:
        return state
    except (OSError, ValueError, TypeError):
        return None
    return None


def write_state(settings: Settings, state: Running) -> None:
    """Say that this stack runs. Only this user can read it."""
    path = state_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(state), file)
