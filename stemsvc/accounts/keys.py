"""Clients' keys: what they may do, how they are stored, how a secret is checked."""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass, replace

from stemsvc.jobs.record import Priority

PREFIX = "stemsvc"
LONGEST_NAME = 200  # characters
_TOKEN = re.compile(rf"{PREFIX}_([a-z0-9]{{10}})_([A-Za-z0-9_-]{{43}})")
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # no two characters that look alike


class Scope(enum.StrEnum):
    """What a key may do."""

    SUBMIT = "submit"  # send, cancel and delete its own jobs
    READ = "read"  # see its own jobs
    URL_SOURCE = "url-source"  # have tracks fetched from addresses
    ADMIN = "admin"  # all of this, for everyone's jobs


class Installed(enum.StrEnum):
    """What became of the bootstrap key in the job store, when a process brought its setting's."""

    MADE = "the bootstrap key was made"
    RENEWED = "the bootstrap key was changed"
    KEPT = "the bootstrap key is there"
    OLDER = "another process has set a newer bootstrap key"
    REVOKED = "the bootstrap key was revoked, and stays so until the setting has another one"


DEFAULT_SCOPES = (Scope.SUBMIT, Scope.READ)


@dataclass(frozen=True)
class Key:
    """A key as it is stored, without its secret. Times are seconds since the epoch by the database's clock."""

    id: str
    name: str
    hash: str
    scopes: frozenset[Scope]
    created_at: float = 0.0
    revoked_at: float | None = None
    max_waiting: int | None = None  # jobs; None: what the settings say
    minutes_per_day: float | None = None  # of audio; None: any number
    max_stored_bytes: int | None = None  # of files at one time; 0: any number; None: what the settings say
    max_priority: Priority = Priority.NORMAL
    expires_at: float | None = None
    old_hash: str | None = None  # of the secret before the last rotation, which works until `old_until`
    old_until: float | None = None
    retention_seconds: float | None = None  # of its jobs' files from their end; None: what the settings say
    waived: bool = False  # `keys disable-auth` came after it: it makes no other request need a key

    def may(self, scope: Scope) -> bool:
        """Whether the key has the scope; an admin has all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @property
    def highest(self) -> Priority:
        """The highest priority that its jobs may have; an admin's may have any."""
        return Priority.HIGH if Scope.ADMIN in self.scopes else self.max_priority


def new_key(name: str, scopes: frozenset[Scope]) -> tuple[Key, str]:
    """A key to store, and its token, which is shown once and never stored."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    secret = secrets.token_urlsafe(32)
    return Key(key_id, name, hash_of(secret), scopes), f"{PREFIX}_{key_id}_{secret}"


def hash_of(secret: str) -> str:
    """The SHA-256 that is stored of a secret. A fast hash is safe, because the secret has 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def parse_token(token: str) -> tuple[str, str] | None:
    """The id and secret of a token; None if the text is not a token."""
    found = _TOKEN.fullmatch(token)
    return (found[1], found[2]) if found else None


def renewed(key: Key, keep_until: float) -> tuple[Key, str]:
    """The key with a new secret, and its token. The secret that it had works until then."""
    secret = secrets.token_urlsafe(32)
    return replace(key, hash=hash_of(secret), old_hash=key.hash, old_until=keep_until), f"{PREFIX}_{key.id}_{secret}"


def fits(key: Key, secret: str, now: float | None = None) -> bool:
    """Whether the secret is the key's now, and the key is neither revoked nor expired.

    The time it takes does not depend on the secret.
    """
    return holds(key, hash_of(secret), now)


def holds(key: Key, given: str, now: float | None = None) -> bool:
    """Whether `given` is the hash of the key's secret now, and the key is neither revoked nor expired."""
    now = time.time() if now is None else now
    fresh = hmac.compare_digest(key.hash, given)
    old = hmac.compare_digest(key.old_hash or "", given) and now < (key.old_until or 0.0)
    return (fresh or old) and key.revoked_at is None and (key.expires_at is None or now < key.expires_at)
