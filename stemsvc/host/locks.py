"""Locks of files that the system frees when their process dies: `flock`, and on Windows a lock of one byte."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import errno
    import msvcrt

    FAR = 1 << 30  # behind all text: Windows lets nobody read a byte that another process has locked
    BUSY = (errno.EACCES, errno.EDEADLOCK)

    def take(handle: int, *, wait: bool = False, shared: bool = False) -> None:
        """Lock the file of a descriptor. Windows knows no shared locks, so `shared` asks for the whole one there.

        Raises `BlockingIOError` where another process has it and nobody is to wait, and other `OSError`s.
        """
        while True:
            os.lseek(handle, FAR, os.SEEK_SET)
            try:
                msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if error.errno not in BUSY:
                    raise
                if not wait:  # and where it waits, it gives up after ten seconds
                    raise BlockingIOError(error.errno, error.strerror) from error
            else:
                return
else:
    import fcntl

    def take(handle: int, *, wait: bool = False, shared: bool = False) -> None:
        """Lock the file of a descriptor; processes that inherit the descriptor have the lock too.

        Raises `BlockingIOError` where another process has it and nobody is to wait, and other `OSError`s, such as those
        of file systems without locks.
        """
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))


def descriptor_flags(more: int) -> int:
    """Flags of `os.open`, with those that keep a descriptor from child programs where the system has them.

    Windows opens text without them: `O_BINARY` leaves its line ends alone.
    """
    return more | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
