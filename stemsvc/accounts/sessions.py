"""Sessions: a page sends a key once, and then a cookie. The cookie's token is stored as its hash alone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from stemsvc.accounts.keys import Key, hash_of, holds

LONGEST_TOKEN = 100


@dataclass(frozen=True)
class Session:
    """A session as it is stored. Times are seconds since the epoch by the database's clock.

    `key_hash` is of the secret that it was made with: a session ends with its secret, also where the key got another.
    """

    hash: str
    key_id: str
    key_hash: str
    created_at: float = 0.0
    expires_at: float = 0.0

    def opens(self, key: Key | None, now: float) -> bool:
        """Whether it still stands for the key, which is neither revoked nor expired."""
        return key is not None and key.id == self.key_id and now < self.expires_at and holds(key, self.key_hash, now)


def new_session(key: Key, secret: str) -> tuple[Session, str]:
    """A session of the key to store, and its token, which only the cookie has."""
    token = secrets.token_urlsafe(32)
    return Session(hash_of(token), key.id, hash_of(secret)), token
