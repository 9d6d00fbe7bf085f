"""The header that names a download."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote


def attachment(filename: str) -> str:
    """The value of `Content-Disposition` (RFC 6266) for a file that is saved under this name.

    `filename*` has the whole name. `filename` has what ASCII can say of it, for clients such as `curl -OJ` that know
    only this one.
    """
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode().strip()
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    extended = "" if plain == filename else f"; filename*=UTF-8''{quote(filename, safe='')}"
    return f'attachment; filename="{escaped}"{extended}'
