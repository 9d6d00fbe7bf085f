"""Who runs a command, for the audit log."""

from __future__ import annotations

import getpass
import socket

from stemsvc.jobstore.audit import By, Via


def acting() -> By:
    """The user of this machine who runs the command."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        import os

        user = str(os.getuid())
    return By(Via.COMMAND, f"{user}@{socket.gethostname()}")
