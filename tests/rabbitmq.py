"""A private RabbitMQ on loopback: Debian's package with every path, name and port its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from stemsvc.embedded.ports import free_port
from stemsvc.embedded.processes import StackProcess
from tests.processes import plain_environment
from tests.programs import absent

BIN = Path("/usr/lib/rabbitmq/bin")  # beside /usr/sbin's wrapper, which insists on the package's own user
CONFIG = """
listeners.tcp.local = 127.0.0.1:{port}
loopback_users.guest = true
consumer_timeout = 86400000
disk_free_limit.absolute = 50MB
log.file = rabbit.log
"""


def installed() -> bool:
    """Whether this machine has RabbitMQ."""
    return (BIN / "rabbitmq-server").exists() and shutil.which("epmd") is not None


def need() -> None:
    """Skip the test where there is no RabbitMQ, but not in CI, which installs it."""
    if not installed():
        absent("RabbitMQ")


class RabbitServer:
    """One node. `port_mapper` (Erlang's epmd) must run before it; neither outlives its stop."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        name = f"stemsvc{self._port}@localhost"
        config = folder / "rabbitmq.conf"
        config.write_text(CONFIG.format(port=self._port))
        cookie = folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(os.urandom(16).hex())
            cookie.chmod(0o400)
        mapper_port = str(free_port())
        self.environment = plain_environment(
            HOME=str(folder),
            ERL_CRASH_DUMP=str(folder / "erl_crash.dump"),
            RABBITMQ_NODENAME=name,
            RABBITMQ_CONFIG_FILE=str(config),
            RABBITMQ_MNESIA_BASE=str(folder / "data"),
            RABBITMQ_LOG_BASE=str(folder / "log"),
            RABBITMQ_PID_FILE=str(folder / "pid"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(folder / "plugins"),
            RABBITMQ_DIST_PORT=str(free_port()),
            RABBITMQ_NODE_PORT=str(self._port),
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
            # replaces the shell that would else stand between us and the node: what we kill is the node itself
            RABBITMQ_ALLOW_INPUT="1",
            RABBITMQ_SERVER_START_ARGS="-noinput",
            ERL_EPMD_PORT=mapper_port,
            ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_CONF_ENV_FILE=str(folder / "none"),
        )
        (folder / "plugins").write_text("[].")
        logs = folder.parent / "logs"
        self.port_mapper = StackProcess(
            "epmd", ["epmd", "-address", "127.0.0.1", "-port", mapper_port], self.environment, logs / "epmd.log"
        )
        self.child = StackProcess("rabbitmq", [str(BIN / "rabbitmq-server")], self.environment, logs / "rabbitmq.log")

    @property
    def url(self) -> str:
        """What Celery connects to."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(8))
        except OSError:
            return False

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on this node."""
        command = [str(BIN / "rabbitmqctl"), "--quiet", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout
