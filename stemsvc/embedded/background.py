"""Starts the stack in the background and waits until it takes jobs; stops it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from stemsvc.embedded.preflight import check_folders
from stemsvc.embedded.state import Running, logs_folder, running
from stemsvc.errors import TABLE, AlreadyRunning, NoStack, StartFailed, StemsvcError, StopFailed
from stemsvc.host.folders import private, private_folder
from stemsvc.settings import Settings

STOP_SECONDS = 120.0


def start(settings: Settings) -> Running:
    """Start `stemsvc up` with these settings in a session of its own, and return once it takes jobs.

    Raises `FatalError` `already_running`, the error that it ends with, or `start_failed` with the end of its output.
    """
    stack = running(settings)
    if stack is not None:
        raise AlreadyRunning(f"a stack already runs over {settings.data_dir}: {stack.url}")
    check_folders(settings)
    private_folder(settings.data_dir)
    log = logs_folder(settings) / "up.log"
    log.parent.mkdir(exist_ok=True)
    environment = settings.environment()
    for name in ("broker_url", "pools"):  # without them, `up` starts its own Redis and looks for GPUs
        if name not in settings.model_fields_set:
            environment.pop(f"STEMSVC_{name.upper()}", None)
    log.unlink(missing_ok=True)  # it has only what this start says
    with private(), log.open("ab") as file:
        command = [sys.executable, "-m", "stemsvc", "up"]
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    while process.poll() is None:
        stack = running(settings)
        if stack is not None:
            process.returncode = 0  # it runs on without us: Popen must not warn that nobody waited for it
            return stack
        time.sleep(0.1)
    raise _why(log)


def stop(settings: Settings) -> Running:
    """Stop the stack of these settings and wait until it has ended. Raises `FatalError` `no_stack`, `stop_failed`."""
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
        if os.waitpid(pid, os.WNOHANG)[0] == pid:  # a process that we started: take its exit status
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _why(log: Path) -> StemsvcError:
    """The error that `up` has ended with: the last line of its output, where that is one of ours."""
    lines = log.read_text(errors="replace").splitlines()[-20:]
    found = re.fullmatch(r"stemsvc: (\w+): (.+)", lines[-1]) if lines else None
    if found and found[1] in TABLE:
        return TABLE[found[1]](found[2])
    return StartFailed("\n".join(lines))
