"""Copies what a client has sent into a file, by the kernel where that can be."""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import BinaryIO

CHUNK = 256 * 1024  # read at a time where the kernel can't copy: many bodies may be under way at once
SMALL = 64 * 1024  # not worth the kernel's help
_MOST = 1 << 30  # bytes that one call may copy
_CAN = sys.platform == "linux"  # elsewhere sendfile writes to sockets alone


def copy(data: BinaryIO, target: BinaryIO) -> None:
    """Write the rest of `data` to `target`. A large file is copied in the kernel, which needs neither memory nor the
    interpreter's lock. Raises `OSError`."""
    for _ in range(2):  # a file of the memory is at its end then, and was not written to disk for its number
        part = data.read(SMALL)
        if not part:
            return
        target.write(part)
    if not _by_kernel(data, target):
        shutil.copyfileobj(data, target, CHUNK)


def _by_kernel(data: BinaryIO, target: BinaryIO) -> bool:
    """Copy the rest of a file; False where that is no file, or the file systems can't: nothing is copied then."""
    try:
        source, at = data.fileno(), data.tell()
    except (OSError, ValueError, AttributeError):  # a body on its way, or bytes in memory
        return False
    if not _CAN:
        return False
    target.flush()
    begun = at
    try:
        while sent := os.sendfile(target.fileno(), source, at, _MOST):
            at += sent
    except OSError:
        if at > begun:
            raise
        return False
    data.seek(at)
    target.seek(0, io.SEEK_END)
    return True
