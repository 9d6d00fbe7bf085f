"""What is said of a secret without saying it: a URL without its password, whether a key is weak, how it may be written.

It needs no package, so that a command that only shows something does not load one.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter
from itertools import pairwise
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

HIDDEN = "********"
LEAST_CHARACTERS = 32
LEAST_BITS = 80.0  # 32 random hexadecimal digits have fewer once in 10^9, and below 96 once in 10^4
REPEATED = 0.75  # of a text; chance gives a random one less than half of that
LEAST_SOUGHT = 8  # a shorter text is found everywhere by chance
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, section 2.1: what follows `Bearer`
_AUTHORITY = re.compile(r"(?<=://)[^/?#\s]*@")  # up to its last @: passwords that nobody encoded have some too
_QUERY = re.compile(r"(?<=[?&])([^=&#]*(?:password|passwd|secret|token)[^=&#]*)=[^&#;\s]*", re.IGNORECASE)


def masked(text: str) -> str:
    """A text with the passwords of the URLs in it hidden, those in their queries too. User names stay."""

    def hide(found: re.Match[str]) -> str:
        user, colon, _ = found[0].removesuffix("@").partition(":")
        return f"{user}:{HIDDEN}@" if colon else found[0]

    return _QUERY.sub(rf"\1={HIDDEN}", _AUTHORITY.sub(hide, text))


def passwords(text: str) -> list[str]:
    """The passwords of the URLs in a setting, as they are written and decoded; a setting may have several, by `;`."""
    found: list[str] = []
    for url in text.split(";"):
        parts = urlsplit(url)
        for authority in _AUTHORITY.findall(url):
            found.append(authority.removesuffix("@").partition(":")[2])
        found += [value for name, value in parse_qsl(parts.query) if _QUERY.search(f"?{name}={value}")]
    return [each for each in dict.fromkeys([*found, *map(unquote, found)]) if each]


def weakness(key: str) -> str:
    """Why a text is no key that could be sent and not guessed; empty if it is one.

    The bits are Shannon's entropy of its characters, which says more than a text has that people made up. So it must
    also neither repeat itself nor count up or down.
    """
    if len(key) < LEAST_CHARACTERS:
        return f"it has {len(key)} characters and needs {LEAST_CHARACTERS}"
    if not _KEY.fullmatch(key):
        return "it has characters other than letters, digits and ._~+/=-"
    counts = Counter(key).values()
    bits = -sum(count * math.log2(count / len(key)) for count in counts)
    steps = [ord(after) - ord(before) for before, after in pairwise(key)]
    regular = sum(step in (-1, 0, 1) for step in steps) > REPEATED * len(steps)
    if bits < LEAST_BITS or regular or _repeats(key):
        return "it is too easy to guess"
    return ""


def _repeats(key: str) -> bool:
    """Whether most of a text is what stands some characters before, at most half a text before."""
    for period in range(1, len(key) // 2 + 1):
        same = sum(after == before for after, before in zip(key[period:], key, strict=False))
        if same > REPEATED * (len(key) - period):
            return True
    return False


def written(secret: str) -> list[str]:
    """How a secret may stand in a file, a log or a command: as it is, in a URL, in JSON, in base64."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    forms = (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], encoded)
    return list(dict.fromkeys(forms))
