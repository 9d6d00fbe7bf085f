"""The port on which Prometheus reads the metrics of a process and of those that share its folder. It asks no key."""

from __future__ import annotations

import socket
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app
from prometheus_client.registry import CollectorRegistry

from stemsvc.errors import PortTaken
from stemsvc.observe import metrics

BACKLOG = 64  # connections that wait for a process to take them
CLIENT_SECONDS = 10.0  # for so long a client may send nothing, or read nothing


def serve(host: str, port: int) -> None:
    """Serve the metrics of this process and its children on that port; 0: not at all.

    Raises `FatalError` `port_taken`.
    """
    if port:
        serve_on(listen(host, port), metrics.registry())


def listen(host: str, port: int) -> socket.socket:
    """A socket that processes which inherit it can `serve_on`, several at once. Raises `FatalError` `port_taken`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        shared = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise PortTaken(f"metrics can't be shown on {host}:{port}: {error.strerror}") from error
    shared.setblocking(False)  # a connection wakes all of the processes, and all but one find it taken
    return shared


def serve_on(shared: socket.socket, shown: CollectorRegistry) -> None:
    """Serve metrics, in a thread, on a socket that other processes may serve too: one that is stuck delays nobody."""
    server = _Server(shared)
    server.set_app(make_wsgi_app(shown))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: Prometheus calls every few seconds."""


class _Server(ThreadingWSGIServer):
    """A server on a socket that listens already."""

    def __init__(self, shared: socket.socket) -> None:
        super().__init__(shared.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = shared
        self.server_name, self.server_port = shared.getsockname()[:2]
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Take a connection. Raises `BlockingIOError` where another process was faster."""
        connection, address = self.socket.accept()
        connection.setblocking(True)  # some systems have it inherit that of the socket
        return connection, address
