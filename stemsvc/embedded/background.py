"""Running the stack in the background: start it and wait, find it, stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from stemsvc.embedded.stack import Running, running
from stemsvc.errors import AlreadyRunning, NoStack, StartFailed, StopFailed
from stemsvc.settings import Settings

STOP_SECONDS = 120.0


def start(settings: Settings) -> Running:
    """Start `stemsvc up` over these settings in a session of its own and return once it takes jobs.

    Raises `FatalError` `already_running`, or `start_failed` with the end of its output.
    """
    stack = running(settings)
    if stack is not None:
        raise AlreadyRunning(f"a stack runs over {settings.data_dir} already: {stack.url}")
    log = settings.data_dir / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = settings.environment()
    if "broker_url" not in settings.model_fields_set:
        del environment["STEMSVC_BROKER_URL"]  # unset means: bring a Redis of your own
    with log.open("wb") as file:
        command = [sys.executable, "-m", "stemsvc", "up"]
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    while process.poll() is None:
        stack = running(settings)
        if stack is not None:
            process.returncode = 0  # it goes on without us: not a child that was forgotten
            return stack
        time.sleep(0.1)
    raise StartFailed(_end(log))


def stop(settings: Settings) -> Running:
    """Stop the stack over these settings and wait until it has ended. Raises `FatalError` `not_running`."""
    stack = running(settings)
    if stack is None:
        raise NoStack(f"no stack runs over {settings.data_dir}")
    os.kill(stack.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(stack.pid):
        if time.monotonic() > deadline:
            raise StopFailed(f"process {stack.pid} does not end")
        time.sleep(0.1)
    return stack


def _alive(pid: int) -> bool:
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:  # our own child: take its exit status
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _end(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
