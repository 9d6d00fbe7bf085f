"""The Hugging Face hub's metadata of the catalog's files, asked for at most once a day."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stemsvc.errors import RevisionGone, WeightsDenied, WeightsNotFound
from stemsvc.host.folders import share, shared_folder
from stemsvc.models import transfer
from stemsvc.models.source import WeightFile
from stemsvc.models.transfer import Seen

KEEP_SECONDS = 24 * 3600.0
GONE = (RevisionGone, WeightsNotFound, WeightsDenied)


@dataclass(frozen=True)
class Known:
    """The hub's answer, or the code of its refusal, and when it came (seconds since the epoch)."""

    seen: Seen | None
    refusal: str
    at: float


class HubMetadata:
    """The hub's answers about files, kept in one JSON file; nothing is kept where the folder can't be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, file: WeightFile, *, offline: bool = False) -> Known | None:
        """The hub's answer about the file, at most a day old; it is asked for where none is kept, but not `offline`.

        None where nothing is known `offline`. Raises `transfer.look`'s errors, except those that say that the file
        can't be had: they are kept like an answer.
        """
        known = self._read().get(file.address)
        if known is not None and time.time() - known.at < KEEP_SECONDS:
            return known
        return None if offline else self.ask(file)

    def ask(self, file: WeightFile) -> Known:
        """Ask the hub now, and keep the answer."""
        try:
            known = Known(transfer.look(file), "", time.time())
        except GONE as error:
            known = Known(None, error.code, time.time())
        self._keep(file.address, known)
        return known

    def _read(self) -> dict[str, Known]:
        try:
            return {label: _known(fields) for label, fields in json.loads(self._path.read_text()).items()}
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return {}

    def _keep(self, label: str, known: Known) -> None:
        # two processes may overwrite each other's answer: it is then asked for again
        everything = {**self._read(), label: known}
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            shared_folder(self._path.parent)
            draft.write_text(json.dumps({name: asdict(each) for name, each in everything.items()}, indent=1))
            share(draft)
            draft.replace(self._path)


def _known(fields: dict[str, Any]) -> Known:
    return Known(Seen(**fields["seen"]) if fields["seen"] else None, str(fields["refusal"]), float(fields["at"]))
