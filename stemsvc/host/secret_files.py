"""Secrets that come from files, as Docker, Kubernetes, Vault's agent and External Secrets put them there.

`STEMSVC_<NAME>_FILE` names the file of one secret, `STEMSVC_SECRETS_DIR` a folder with a file for each. The secrets'
source of pydantic-settings is not used: it only warns of a file that it can't read, and never reads one again.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stemsvc.errors import BadSetting
from stemsvc.host import environment
from stemsvc.host.environment import PREFIX
from stemsvc.host.locks import descriptor_flags
from stemsvc.observe.loggers import get_logger

MOST_BYTES = 64 * 1024
LOOK_SECONDS = 1.0  # files are looked at no more often
TRIES = 5  # at reading files while somebody replaces them
FOLDER = f"{PREFIX}SECRETS_DIR"
Signature = tuple[tuple[str, str, int, int, int, int], ...]


@dataclass(frozen=True)
class SecretFile:
    """The file of one secret. `variable` is what names it or its folder, for people."""

    name: str
    path: Path
    variable: str

    def read(self) -> str:
        """Its text without the newlines at the end.

        Raises `FatalError` `bad_setting`, which says nothing of the text.
        """
        try:
            content = _content(self.path)
        except OSError as error:
            raise self._bad(f"can't be read: {error.strerror}") from error
        if content is None:
            raise self._bad("is not a file")
        if len(content) > MOST_BYTES:
            raise self._bad(f"has more than {MOST_BYTES} bytes")
        try:
            text = content.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise self._bad("is not text in UTF-8") from None
        if not text.strip():
            raise self._bad("is empty")
        if not text.isprintable():
            raise self._bad("has more than one line, or characters that can't be printed")
        return text

    def signature(self) -> tuple[str, str, int, int, int, int]:
        """What differs once the file is another one or has another text; the files of a folder are often links."""
        try:
            found = self.path.stat()
        except OSError as error:
            return self.name, str(self.path), error.errno or -1, 0, 0, 0
        return self.name, str(self.path), found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

    def _bad(self, why: str) -> BadSetting:
        return BadSetting(f"{self.variable}: {self.path} {why}")


def _content(path: Path) -> bytes | None:
    """The first bytes of a file, one more than it may have; None for what is no file, such as a pipe."""
    waits_not = getattr(os, "O_NONBLOCK", 0)  # a pipe must not keep us waiting
    handle = os.open(path, descriptor_flags(os.O_RDONLY | waits_not))
    with os.fdopen(handle, "rb") as file:
        return file.read(MOST_BYTES + 1) if stat.S_ISREG(os.fstat(handle).st_mode) else None


def variable_of(name: str) -> str:
    """The variable that names the file of a secret."""
    return f"{PREFIX}{name.upper()}_FILE"


def find(names: Iterable[str], folder: str | Path | None) -> dict[str, SecretFile]:
    """The files of secrets: that which a variable names, else one in the folder unless a variable has the secret.

    Raises `FatalError` `bad_setting` for a secret that is given in two ways.
    """
    wanted = list(names)
    found = _in(Path(folder), wanted) if folder else {}
    for name in wanted:
        value, file = environment.value(f"{PREFIX}{name.upper()}"), environment.value(variable_of(name))
        if value and file:
            raise BadSetting(f"{PREFIX}{name.upper()} and {variable_of(name)} are both set: unset one of them")
        if file:
            found[name] = SecretFile(name, Path(file), variable_of(name))
        elif value:
            found.pop(name, None)
    return found


def setting_of(file: str) -> str:
    """The setting that a file in the folder would have: `STEMSVC_DATABASE_URL`, `database-url`, `database_url`."""
    return file.lower().replace("-", "_").removeprefix(PREFIX.lower())


def _in(folder: Path, names: list[str]) -> dict[str, SecretFile]:
    found: dict[str, SecretFile] = {}
    for path in listed(folder):
        name = setting_of(path.name)
        if name not in names:
            continue
        if name in found:
            raise BadSetting(f"{FOLDER}: {found[name].path} and {path} are the same setting: delete one of them")
        found[name] = SecretFile(name, path, FOLDER)
    return found


def listed(folder: Path) -> list[Path]:
    """What is in the folder of secrets. Raises `FatalError` `bad_setting`."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise BadSetting(f"{FOLDER}: {folder} can't be read: {error.strerror}") from error


class SecretFiles:
    """The files of secrets, which are read again when they change. Threads may share it.

    `names` are the settings that files may have, `folder` is the folder of secrets.
    """

    def __init__(self, names: Iterable[str], folder: str | Path | None) -> None:
        self._names = frozenset(names)
        self._folder = folder
        self._lock = threading.Lock()
        self._said = ""
        self._looked = time.monotonic()
        self._signature, self._texts = self._read()

    @property
    def files(self) -> dict[str, SecretFile]:
        """The files by their settings. Raises `FatalError` `bad_setting`."""
        return find(self._names, self._folder)

    def texts(self) -> Mapping[str, str]:
        """The secrets by their settings; the same object until a file has changed.

        What a file had last counts while it is away or can't be read; the log says so once.
        """
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                self._look()
                self._looked = time.monotonic()
            return self._texts

    def _look(self) -> None:
        try:
            if _signature(self.files) == self._signature:
                return
            self._signature, texts = self._read()
        except BadSetting as error:
            self.complain(error.detail)
            return
        self._said = ""
        for name in self._texts.keys() - texts.keys():
            self.complain(f"{PREFIX}{name.upper()}: its file is gone")
        kept = {**self._texts, **texts}
        if kept != self._texts:
            self._texts = kept

    def complain(self, why: str) -> None:
        """Log why a secret can't be read again, once."""
        if why == self._said:
            return

        self._said = why
        get_logger().warning("a secret can't be read again; the last one still counts", why=why)

    def _read(self) -> tuple[Signature, dict[str, str]]:
        """All files as they were at one moment: a folder may be replaced between two of them."""
        for _ in range(TRIES):
            files = self.files
            before = _signature(files)
            texts = {name: file.read() for name, file in files.items()}
            if _signature(self.files) == before:
                break
        return before, texts


def _signature(files: Mapping[str, SecretFile]) -> Signature:
    return tuple(file.signature() for _, file in sorted(files.items()))
