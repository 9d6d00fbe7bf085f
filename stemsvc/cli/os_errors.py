"""What the file system's errors mean to who called a command."""

from __future__ import annotations

import errno

from stemsvc.errors import DiskLow, FolderRefused, StemsvcError

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG),
    *(errno.EIO, errno.ESTALE, errno.ELOOP),
)


def translated(error: OSError) -> StemsvcError | None:
    """The error to tell: that a disk is full, or that a file or folder can't be used. None for what is neither."""
    where = error.filename if isinstance(error.filename, str) else "a file or folder"
    if error.errno in FULL:
        return DiskLow(f"{where}: {error.strerror}: free space, or move STEMSVC_DATA_DIR")
    if error.errno in REFUSED:
        why = f"{where}: {error.strerror}"
        return FolderRefused(f"{why}: repair its owner or permissions, or name another folder in STEMSVC_DATA_DIR")
    return None
