"""A TCP proxy before the storage. It can refuse connections, answer 503, slow down, stall or reset uploads midway."""

from __future__ import annotations

import contextlib
import enum
import re
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
LATER_PART = re.compile(rb"PUT [^ ]*[?&]partNumber=(?!1[& ])")  # the request for a part that is not the first


class Mood(enum.Enum):
    """What the proxy does to new and open connections."""

    FINE = "fine"
    DOWN = "down"
    BUSY = "busy"
    SLOW = "slow"
    RESET = "reset"
    BUSY_PART = "busy part"  # 503 for each part but the first of an upload in parts
    STALL_PART = "stall part"  # such a part does not get through until the mood changes


class Proxy:
    """Passes connections to `port` of the loopback on, as its mood allows. It listens on `here`, 0: any free port."""

    def __init__(self, port: int, here: int = 0) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", here))
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
                if sent and self.mood in (Mood.BUSY_PART, Mood.STALL_PART) and LATER_PART.search(data):
                    self.harmed += 1
                    if self.mood is Mood.BUSY_PART:
                        source.sendall(BUSY)
                        break
                    while self.mood is Mood.STALL_PART and not self._closed.wait(0.05):
                        pass
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
