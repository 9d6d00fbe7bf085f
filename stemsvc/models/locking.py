"""Finds out what a file of weights is at its source now."""

from __future__ import annotations

from stemsvc.errors import WeightsMissing
from stemsvc.host.digest import sha256_of
from stemsvc.models.lock import Locked
from stemsvc.models.pull import Puller
from stemsvc.models.source import WeightFile


def observe(puller: Puller, file: WeightFile) -> Locked:
    """The file's commit, hash and size: the hub says them of its files, a URL is fetched, a path is read.

    A hub's file whose hash the hub does not know is fetched. Raises what a pull raises, also `FatalError`
    `revision_gone`.
    """
    if file.path is not None:
        try:
            return Locked(sha256=sha256_of(file.path), size=file.path.stat().st_size)
        except OSError as error:
            raise WeightsMissing(f"{file.path} can't be read: {error.strerror}") from error
    if puller.offline:
        raise WeightsMissing("STEMSVC_OFFLINE is set: the sources can't be asked")
    if file.hub:
        seen = puller.look(file)
        if seen.sha256 and seen.size:
            return Locked(sha256=seen.sha256, size=seen.size, commit=seen.commit)
    return puller.fetch_unpinned(file)
