"""A proxy before PostgreSQL that withholds the answer to a commit, as if the server died at that moment."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from tests.faults.proxy import hang_up

COMMIT = b"COMMIT"
AWAY_SECONDS = 1.5  # how long nobody can connect afterwards, so that tries and heartbeats come in any order


class Answers:
    """Passes connections to a port of the loopback on to a server's Unix socket."""

    def __init__(self, target: Path) -> None:
        self.target = target  # of new connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.wanted: bytes | None = None  # the answer to the next transaction in which a client sends this is withheld
        self.kept = 0  # answers withheld so far
        self._away_until = 0.0
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="answers", daemon=True)

    def __enter__(self) -> Answers:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up_on_all()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if time.monotonic() < self._away_until:
                hang_up(client)
            else:
                threading.Thread(target=self._serve, args=(client,), name="answered", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            try:
                server.connect(str(self.target))
            except OSError:
                return
            self._open.add(client)
            keep = threading.Event()
            back = threading.Thread(target=self._answer, args=(server, client, keep), daemon=True)
            back.start()
            self._ask(client, server, keep)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join()
            self._open.discard(client)

    def _ask(self, client: socket.socket, server: socket.socket, keep: threading.Event) -> None:
        sent = False
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                sent = sent or (self.wanted is not None and self.wanted in data)
                if sent and COMMIT in data:
                    self.wanted = None
                    keep.set()
                server.sendall(data)

    def _answer(self, server: socket.socket, client: socket.socket, keep: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if keep.is_set():  # the commit is done, and no client learns of it
                    self._away_until = time.monotonic() + AWAY_SECONDS
                    self.kept += 1
                    self._hang_up_on_all()
                    return
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _hang_up_on_all(self) -> None:
        for client in list(self._open):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
