"""A TCP proxy before the storage. It can refuse connections, answer 503, slow down or reset uploads in the middle."""

from __future__ import annotations

import contextlib
import enum
import socket
import struct
import threading
from types import TracebackType

BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: 60\r\n\r\n<Error><Code>SlowDown</Code><Message>Later</Message></Error>"
)
SLOW_BYTES = 4096  # at a time
SLOW_SECONDS = 0.02  # between two of these
RESET_AFTER = 60_000  # bytes that a client may send on a connection


class Mood(enum.Enum):
    """What the proxy does to new and open connections."""

    FINE = "fine"
    DOWN = "down"
    BUSY = "busy"
    SLOW = "slow"
    RESET = "reset"


class Proxy:
    """Passes connections to `port` of the loopback on, as its mood allows."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.mood = Mood.FINE
        self.harmed = 0  # times that the mood changed what a client got
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="proxied", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            if self.mood is Mood.DOWN:
                self.harmed += 1
                hang_up(client)
                return
            if self.mood is Mood.BUSY:
                self.harmed += 1
                with contextlib.suppress(OSError):
                    client.recv(1 << 16)
                    client.sendall(BUSY)
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with server:
                back = threading.Thread(target=self._pass, args=(server, client, False), daemon=True)
                back.start()
                self._pass(client, server, True)
                back.join()

    def _pass(self, source: socket.socket, target: socket.socket, sent: bool) -> None:
        count = 0
        with contextlib.suppress(OSError):
            while data := source.recv(SLOW_BYTES if self.mood is Mood.SLOW else 1 << 16):
                count += len(data)
                if self.mood is Mood.BUSY and sent:
                    self.harmed += 1
                    source.sendall(BUSY)
                    break
                if self.mood is Mood.DOWN or (self.mood is Mood.RESET and sent and count > RESET_AFTER):
                    self.harmed += 1
                    hang_up(source)
                    break
                if self.mood is Mood.SLOW:
                    self.harmed += 1
                    self._closed.wait(SLOW_SECONDS)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def hang_up(connection: socket.socket) -> None:
    """Close the connection with a TCP reset."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
