"""Encrypts the secrets in the job store, so that a copy of the database alone gives none of them away."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stemsvc.errors import BadSetting, SecretUnreadable
from stemsvc.host.folders import made_once

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

    from stemsvc.settings import Settings

PREFIX = "fernet:"  # a stored text without it is in clear: an older release wrote it, or there was no key


class Cipher:
    """Encrypts with the first key and decrypts with any, by Fernet (https://github.com/fernet/spec).

    Threads may share it. `keys` is asked at each use. Without keys, texts stay as they are.
    """

    def __init__(self, keys: Callable[[], Sequence[str]] = tuple) -> None:
        self._keys = keys

    @property
    def _fernets(self) -> list[Fernet]:
        return [_fernet(key) for key in self._keys()]

    @property
    def has_key(self) -> bool:
        """Whether `encrypt` encrypts."""
        return bool(self._fernets)

    def encrypt(self, secret: str) -> str:
        """What to store of a secret."""
        fernets = self._fernets
        return PREFIX + fernets[0].encrypt(secret.encode()).decode() if fernets else secret

    def decrypt(self, stored: str) -> str:
        """The secret; raises `FatalError` `secret_unreadable` if none of the keys encrypted it."""
        from cryptography.fernet import InvalidToken

        if not is_encrypted(stored):
            return stored
        for fernet in self._fernets:
            try:
                return fernet.decrypt(stored.removeprefix(PREFIX)).decode()
            except InvalidToken:
                continue
        raise SecretUnreadable("a secret in the job store was encrypted with a key that is not set")


def is_encrypted(stored: str) -> bool:
    """Whether a stored text is an encrypted secret."""
    return stored.startswith(PREFIX)


def new_key() -> str:
    """A new random key, for `STEMSVC_SECRET_KEY`."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def open_cipher(settings: Settings) -> Cipher:
    """The cipher that the settings name. Raises `FatalError` `bad_setting` for a text that is no key.

    A job store in the data folder has a key there too, made at its first use, so that it needs no setting. It stays
    good for decrypting once a key is set.
    """
    for key in _given(settings):
        _fernet(key)
    file = None if settings.database_url else settings.data_dir / "secret.key"
    return Cipher(lambda: _keys(_given(settings.fresh()), file))


def _given(settings: Settings) -> list[str]:
    return [key for key in map(str.strip, settings.secret_key.get_secret_value().split(",")) if key]


def _keys(given: list[str], file: Path | None) -> list[str]:
    if file is None or (given and not file.exists()):
        return given
    return [*given, made_once(file, new_key)]


@functools.lru_cache(16)
def _fernet(key: str) -> Fernet:
    from cryptography.fernet import Fernet

    try:
        return Fernet(key)
    except ValueError as error:
        raise BadSetting("STEMSVC_SECRET_KEY takes keys that `stemsvc secrets new-key` prints") from error
