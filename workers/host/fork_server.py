"""Starts child processes by forks of one that has loaded their module. Each would take a fifth of a second to load it.

`python -m workers.host.fork_server MODULE SOCKET` is that process, the fork server. It gets orders as messages on a
socket, has one thread, and never reads what a child reads. It ends with the process that started it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from stemsvc.host.environment import live_in
from workers.host.sandbox import Child, passed_environment, spawn

LOOK_SECONDS = 10.0  # between two looks of the server whether its parent lives: a fork of it may hold the socket open
PAUSE_SECONDS = 0.01
END_SECONDS = 2.0
MESSAGE_BYTES = 1 << 16
NONE = -1  # in place of a child's pid


def fork(module: str, folder: Path) -> Child:
    """Like `spawn`: a child that runs `main` of `module`. It is forked where the system can do so safely: on Linux."""
    return server_of(module, os.getpid()).start(folder) if sys.platform == "linux" else spawn(module, folder)


@functools.cache
def server_of(module: str, _process: int) -> ForkServer:
    """This process's fork server for `module`. A fork of this process has one of its own."""
    return ForkServer(module)


class ForkServer:
    """Forks children that run `main` of `module`. Any thread may call it. One that died is started again."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._orders = 0

    @property
    def pid(self) -> int | None:
        """The server's process id; None before its first child."""
        return self._process.pid if self._process else None

    def start(self, folder: Path) -> Forked:
        """A child that lives in `folder`. It has begun, or will as soon as the server has loaded the module."""
        log = folder / f".{self._module}.log"
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs, self._lock:
            their_in, our_in = os.pipe()
            theirs.callback(os.close, their_in)
            order = ours.enter_context(os.fdopen(our_in, "wb"))
            our_out, their_out = os.pipe()
            theirs.callback(os.close, their_out)
            answer = ours.enter_context(os.fdopen(our_out, "rb"))
            files = [their_in, their_out, theirs.enter_context(log.open("wb")).fileno()]
            try:
                server, number = self._send({"folder": str(folder)}, files)
            except OSError:  # it died since the last child
                self.close()
                server, number = self._send({"folder": str(folder)}, files)
            ours.pop_all()
        return Forked(self, server, number, order, answer, log)

    def ask(self, what: str, child: int, server: int) -> int | None:
        """The exit status of a child of the server with the pid `server`; None if it runs.

        `end` kills it and the processes that it started. After the server's death, its children are dead.
        """
        with self._lock:
            if self.pid == server:
                with contextlib.suppress(OSError):
                    _, number = self._send({what: child})
                    while answer := self._connection().recv(MESSAGE_BYTES):
                        found = json.loads(answer)
                        if found["order"] == number:  # an exception may have hidden the answer before it
                            return None if found["status"] is None else int(found["status"])
                return self.close()
        return -signal.SIGKILL

    def close(self) -> int:
        """End the server and its children. Returns its exit status."""
        with self._lock:
            process, self._process = self._process, None
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            atexit.unregister(self.close)
            if process is None:
                return 0
            try:
                return process.wait(END_SECONDS)  # it died, or ends now that its socket is closed
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait()

    def _send(self, order: dict[str, Any], files: list[int] | None = None) -> tuple[int, int]:
        """The pid of the server, and the order's number."""
        to = self._connection()
        assert self._process is not None
        self._orders += 1
        socket.send_fds(to, [json.dumps({**order, "order": self._orders}).encode()], files or [])
        return self._process.pid, self._orders

    def _connection(self) -> socket.socket:
        if self._socket is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "workers.host.fork_server", self._module, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=passed_environment(),
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            self._socket = ours
            atexit.register(self.close)
        return self._socket


class Forked:
    """A child of a fork server."""

    def __init__(
        self, of: ForkServer, server: int, number: int, order: IO[bytes], answer: IO[bytes], log: Path
    ) -> None:
        self._of = of
        self._server = server
        self._number = number
        self._status: int | None = None
        self.order = order
        self.answer = answer
        self.log = log

    def wait(self, seconds: float) -> int:
        """See the protocol."""
        last, seen = time.monotonic() + seconds, self._status
        while seen is None and time.monotonic() < last:
            seen = self._ask("look")
            if seen is None:
                time.sleep(PAUSE_SECONDS)
        ended = self.end()
        self._status = ended if seen is None else seen  # who saw it end knows more than who found its server dead
        return self._status

    def end(self) -> int:
        """See the protocol."""
        if self._status is None:
            self._status = self._ask("end")
            for file in (self.order, self.answer):
                with contextlib.suppress(BrokenPipeError):  # an order that it did not read
                    file.close()
        assert self._status is not None
        return self._status

    def _ask(self, what: str) -> int | None:
        return self._of.ask(what, self._number, self._server)


def main() -> None:
    """Load the module, then start and end children until the parent ends. A child runs the module's `main`."""
    parent = os.getppid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # who stops a machine may tell all processes; the parent ends us
    module = importlib.import_module(sys.argv[1])
    gc.freeze()  # else a child's collector would copy the pages of all that is loaded
    with socket.socket(fileno=int(sys.argv[2])) as orders:
        is_child = _serve(orders, parent)
    if is_child:
        module.main()


def _serve(orders: socket.socket, parent: int) -> bool:
    """Follow the orders until the parent ends; then end the children. Returns in each new child, too: True there."""
    orders.settimeout(LOOK_SECONDS)
    children: dict[int, int] = {}
    while True:
        try:
            message, files, *_ = socket.recv_fds(orders, MESSAGE_BYTES, 3)
        except TimeoutError:
            if os.getppid() == parent:
                continue
            message = b""
        if not message:
            break
        order = json.loads(message)
        if "folder" in order:
            child = _forked()
            if child == 0:
                _become(order["folder"], files)
                return True
            children[order["order"]] = child
            for file in files:
                os.close(file)
        else:
            status = _ended(children, order["end"]) if "end" in order else _status(children.get(order["look"], NONE))
            orders.send(json.dumps({"order": order["order"], "status": status}).encode())
    for each in list(children):
        _ended(children, each)
    return False


def _forked() -> int:
    """The pid of a new child, 0 in the child; or `NONE`: there was no memory for one, and its files are closed."""
    try:
        return os.fork()
    except OSError as error:
        print(f"no child process: {error}", file=sys.stderr)
        return NONE


def _become(folder: str, files: list[int]) -> None:
    """In a new child: take the files as input, output and log, and leave the server's session."""
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    live_in(folder)


def _status(child: int) -> int | None:
    """A child's exit status, or minus the number of the signal that ended it; None if it runs."""
    if child == NONE:
        return os.EX_OSERR
    found = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _ended(children: dict[int, int], number: int) -> int:
    """Kill a child and the processes that it started; returns its exit status."""
    child = children.pop(number, NONE)  # an exception in the parent may have hidden that it was ended
    if child == NONE:
        return os.EX_OSERR
    for kill in (os.killpg, os.kill):  # it may have had no time to begin its session
        with contextlib.suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
