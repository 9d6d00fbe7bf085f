"""Drafts: files that are written beside their place in a folder, and renamed into it once they are whole.

A writer locks its draft. The kernel frees the lock of a writer that was killed, which shows that the draft may go.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stemsvc.errors import StorageUnavailable
from stemsvc.host.locks import descriptor_flags, take

PREFIX = ".part-"
UNLOCKABLE_SECONDS = 86400.0  # a draft this old is dead also where the file system has no locks
_NAME_BYTES = 200  # of its target's name in a draft's name: a file's name has at most 255 bytes


@contextlib.contextmanager
def drafted(target: Path) -> Iterator[BinaryIO]:
    """A file to write that becomes `target` when the context ends without an error; after one, nothing is left.

    Raises `OSError`, and `TransientError` `storage_unavailable` where the draft was removed meanwhile.
    """
    file, draft = _opened(target)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _rename(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def link(source: Path, target: Path) -> None:
    """Make `target` a second name of the file `source`. Raises what `drafted` raises."""
    for _ in range(10):
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft_of(target)
        try:
            os.link(source, draft)
        except FileNotFoundError:
            if not source.exists():
                raise
            continue  # the folder was removed again
        try:
            _rename(draft, target)
        finally:
            draft.unlink(missing_ok=True)  # rename does nothing where both names are the same file already
        return
    raise _removed_again()


def is_draft(path: Path) -> bool:
    """Whether the file is a draft."""
    return path.name.startswith(PREFIX)


def target_name(name: str) -> str:
    """The name that a file of this name will have; empty where a draft's name does not tell (those of release 0.2)."""
    return name.removeprefix(PREFIX).rpartition(".")[0] if name.startswith(PREFIX) else name


def remove_dead(draft: Path, seconds: float) -> bool:
    """Remove a draft that nobody has written to for `seconds` and whose writer is dead; whether it was so.

    Its change time tells its age: a draft that `link` makes has the modification time of its source.
    """
    try:
        handle = os.open(draft, descriptor_flags(os.O_RDWR))
    except OSError:  # it is in its place by now, or is not ours to remove
        return False
    try:
        age = time.time() - os.fstat(handle).st_ctime
        if age < seconds:
            return False
        try:
            take(handle)
        except BlockingIOError:
            return False  # its writer lives
        except OSError:
            if age < UNLOCKABLE_SECONDS:
                return False
        draft.unlink(missing_ok=True)
        return True
    finally:
        os.close(handle)


def _opened(target: Path) -> tuple[BinaryIO, Path]:
    for _ in range(10):
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft_of(target)
        with contextlib.suppress(FileNotFoundError):  # somebody removed the empty folder meanwhile
            handle = os.open(draft, descriptor_flags(os.O_RDWR | os.O_CREAT | os.O_EXCL), 0o600)
            with contextlib.suppress(OSError):  # a file system without locks
                take(handle)
            return os.fdopen(handle, "w+b"), draft
    raise _removed_again()


def _draft_of(target: Path) -> Path:
    name = target.name.encode()[:_NAME_BYTES].decode(errors="ignore")
    return target.with_name(f"{PREFIX}{name}.{secrets.token_hex(8)}")


def _rename(draft: Path, target: Path) -> None:
    try:
        os.replace(draft, target)
    except FileNotFoundError as error:
        raise StorageUnavailable(f"{target.name} was deleted before it was whole") from error


def _removed_again() -> OSError:
    return OSError(errno.EBUSY, "the folder is removed again and again")
