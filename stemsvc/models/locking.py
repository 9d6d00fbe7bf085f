"""What a file of weights is at its source, now."""

from __future__ import annotations

from stemsvc.errors import WeightsMissing
from stemsvc.models.lock import Locked
from stemsvc.models.pull import Puller
from stemsvc.models.source import WeightFile
from stemsvc.models.store import sha256_of


def observe(puller: Puller, file: WeightFile) -> Locked:
    """Commit, hash and size: of a hub's file by the hub's word, of a URL by fetching it, of a path by reading it.

    Raises what a pull raises, `FatalError` `revision_gone` among it.
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
