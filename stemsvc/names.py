"""File names: what we keep of a client's, and what we call the stems made of it."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from stemsvc.jobs import EXTENSIONS

MAX_LENGTH = 150


def clean_filename(given: str) -> str:
    """A client's file name without folders, control and bidirectional characters; `track` where nothing is left."""
    name = given.replace("\\", "/").rsplit("/", 1)[-1]
    # categories C*: control, format (bidi marks and joiners), surrogate, private, unassigned
    name = "".join(c for c in unicodedata.normalize("NFC", name) if not unicodedata.category(c).startswith("C"))
    name = re.sub(r'[<>:"|?*]', "_", name).strip(" .")
    return name[-MAX_LENGTH:] or "track"


def stem_filename(input_name: str, stem: str, format: str) -> str:
    """What a browser saves a stem as: `song - vocals.flac`."""
    return f"{PurePosixPath(input_name).stem} - {stem}.{EXTENSIONS[format]}"
