"""gunicorn's settings that can't be said on its command line."""

from __future__ import annotations

import signal
from typing import Any

from stemsvc.embedded.processes import die_with_parent


def post_fork(server: Any, worker: Any) -> None:
    """Workers of a master that was killed would keep its port for seconds, and the next master gives up meanwhile."""
    die_with_parent(signal.SIGKILL)
