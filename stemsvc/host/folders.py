"""Who may read our folders and files, and who may remove them.

The data folder is for its user alone: what a process of ours writes, no other user can read. What users share on
purpose, such as a cache of weights, is as open as the folder that it lies in. A folder of one process has a lock, which
shows that the process is alive; folders of dead processes are removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stemsvc.host.locks import descriptor_flags, take

LOCK = ".lock"
YOUNG_SECONDS = 60.0  # a younger folder may not have its lock yet
PRIVATE_UMASK = 0o077
OTHERS = 0o077  # the permission bits of the group and of everybody else
# What release 0.2 and this one put into a data folder. The lock files in `devices` may be shared: see `open_shared`.
OURS = ("jobs.sqlite*", "signing.key", "secret.key", "objects", "redis", "run", "logs", "metrics", "scratch")
_callers_umask: list[int] = []


# --- for this user alone


def keep_private() -> None:
    """From now on no other user can read what this process and its children make."""
    os.umask(PRIVATE_UMASK)


@contextlib.contextmanager
def private() -> Iterator[None]:
    """Like `keep_private`, while the context lasts; programs that replace this process stay private."""
    before = os.umask(PRIVATE_UMASK)
    _callers_umask.append(before)
    try:
        yield
    finally:
        os.umask(_callers_umask.pop())


@contextlib.contextmanager
def for_the_caller() -> Iterator[None]:
    """Make files as who called us wants them, inside `private`: for what a command writes where its user says."""
    if not _callers_umask:
        yield
        return
    before = os.umask(_callers_umask[-1])
    try:
        yield
    finally:
        os.umask(before)


def private_folder(folder: Path) -> None:
    """Make the data folder if it is not there, and close what an earlier release left open to others in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tighten(folder)


def tighten(folder: Path) -> None:
    """Take the data folder and what is ours in it from other users. What can't be changed stays; `doctor` says so.

    A folder that others use too is not closed, such as `/tmp` or somebody's home. What is ours in it is. The depths of
    a folder are looked at once only, before it is closed.
    """
    if sys.platform != "win32" and folder.exists():  # there, a user's profile is closed by its access list
        owners = {os.geteuid(), folder.stat().st_uid}
        if not _is_common(folder):
            _close(folder, owners)
        for path in open_to_others(folder):
            if path == folder:
                continue
            for place, folders, files in os.walk(path):
                for name in (*folders, *files):
                    _close(Path(place, name), owners)
            _close(path, owners, follow=True)  # last, so that a start that is broken off is made good by the next


def open_to_others(folder: Path) -> list[Path]:
    """The data folder and what is ours in it, as far as others may enter, read or write them."""
    found = []
    places = (folder, *sorted(each for pattern in OURS for each in folder.glob(pattern)))
    for path in places if sys.platform != "win32" else ():  # whose modes say nothing of other users
        with contextlib.suppress(OSError):
            mode = path.stat().st_mode
            if mode & OTHERS and (path == folder or not mode & stat.S_ISVTX):  # a link to where everybody may write
                found.append(path)
    return found


def _is_common(folder: Path) -> bool:
    common = [Path("/")]
    with contextlib.suppress(RuntimeError):  # a container's user may have no home
        common.append(Path.home())
    with contextlib.suppress(OSError):
        return folder.resolve() in common or bool(folder.stat().st_mode & stat.S_ISVTX)
    return True


def _close(path: Path, owners: set[int], *, follow: bool = False) -> None:
    """Take a file or folder of these owners from others. Only the operator's own links are followed."""
    with contextlib.suppress(OSError):
        found = path.stat() if follow else path.lstat()
        if found.st_mode & OTHERS and not stat.S_ISLNK(found.st_mode) and found.st_uid in owners:
            path.chmod(stat.S_IMODE(found.st_mode) & 0o700)


def made_once(path: Path, make: Callable[[], str]) -> str:
    """The text of a file that only this user can read, made at first use. Of several processes, one makes it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        handle, draft = tempfile.mkstemp(dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            os.unlink(draft)
    return path.read_text()


# --- shared on purpose


def shared_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, as open as the one that they are made in."""
    if folder.is_dir():
        return
    shared_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    share(folder)


def share(path: Path) -> None:
    """Make a file or folder as open as the folder that it lies in. What another user made stays as it is."""
    with contextlib.suppress(PermissionError):
        path.chmod(_openness(path.parent, stat.S_IMODE(path.stat().st_mode)))


def open_shared(path: Path) -> int:
    """A descriptor of a lock file, which is made as open as its folder."""
    shared_folder(path.parent)
    flags = descriptor_flags(os.O_RDWR) | getattr(os, "O_NOFOLLOW", 0)
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags)
    try:
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was faster
        return os.open(path, flags)
    if sys.platform != "win32":
        os.fchmod(handle, _openness(path.parent, 0o600, sticky=True))
    return handle


def _openness(folder: Path, mode: int, *, sticky: bool = False) -> int:
    """The mode of something in `folder`: the owner's and special bits of `mode`, the other bits of the folder.

    Where everybody may write but not remove, as in `/tmp`, only the owner may write, or everybody if it is `sticky`.
    """
    around = folder.stat().st_mode
    others = around & OTHERS
    if around & stat.S_ISVTX and not sticky:
        others &= ~0o022
    if not mode & stat.S_IXUSR:
        others &= 0o066
    return mode & ~OTHERS | others


# --- of one process


def sweep(base: Path) -> int:
    """Remove the folders of dead processes; returns how many. The kernel frees the lock of a dead process."""
    return sum(_remove_if_dead(folder) for folder in base.iterdir() if folder.is_dir()) if base.is_dir() else 0


def _remove_if_dead(folder: Path) -> bool:
    try:
        lock = os.open(folder / LOCK, descriptor_flags(os.O_RDWR))
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > YOUNG_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
                return True
        return False
    except OSError:
        return False
    try:
        take(lock)
    except OSError:
        return False
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(lock)
