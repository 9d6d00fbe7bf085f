"""Object storage: one interface, implemented by an S3 client and by a local folder."""

from __future__ import annotations

import hashlib
import hmac
from time import monotonic
from typing import TYPE_CHECKING

from stemsvc.settings import Settings
from stemsvc.storage.base import ATTEMPTS
from stemsvc.storage.base import Storage as Storage
from stemsvc.storage.s3_options import ObjectOptions, read_tags
from stemsvc.storage.signing import Signer

if TYPE_CHECKING:
    from stemsvc.storage.s3_bucket import Bucket

KEEP_SECONDS = 600.0  # that URLs work which the key before this one has signed


def open_storage(settings: Settings, attempts: int = ATTEMPTS) -> Storage:
    """The storage that the settings name. Opens no connection. `attempts` is how often a call to S3 is tried."""
    if settings.storage == "s3":
        from stemsvc.storage.s3 import S3Storage

        return S3Storage(
            bucket=settings.s3_bucket,
            endpoint_url=settings.s3_endpoint_url,
            public_endpoint_url=settings.s3_public_endpoint_url,
            region=settings.s3_region,
            attempts=attempts,
            credentials=lambda: _s3_credentials(settings.fresh()),
            options=object_options(settings),
            addressing=settings.s3_addressing,
        )
    from stemsvc.storage.local import LocalStorage

    return LocalStorage(settings.data_dir / "objects", SigningKeys(settings), settings.public_url)


def object_options(settings: Settings) -> ObjectOptions:
    """How objects lie in the bucket, by the settings."""
    return ObjectOptions(
        settings.s3_prefix,
        settings.s3_storage_class,
        settings.s3_encryption,
        settings.s3_kms_key_id,
        read_tags(settings.s3_tags),
    )


def open_bucket(settings: Settings) -> Bucket:
    """The bucket itself, for its owner."""
    from stemsvc.storage.s3 import S3Storage
    from stemsvc.storage.s3_bucket import Bucket

    storage = open_storage(settings)
    assert isinstance(storage, S3Storage)
    return Bucket(storage.client(), settings.s3_bucket, settings.s3_region)


def _s3_credentials(settings: Settings) -> tuple[str | None, str | None]:
    secret = settings.s3_secret_access_key
    return settings.s3_access_key_id, secret.get_secret_value() if secret else None


def open_signer(settings: Settings) -> Signer:
    """Signs the URLs that the api serves itself, the same in every process of an installation."""
    return Signer(SigningKeys(settings), settings.public_url)


class SigningKeys:
    """The key that signs URLs now, and for `KEEP_SECONDS` the one before it: processes learn of a new one apart."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = [_signing_key(settings)]
        self._until = 0.0

    def __call__(self) -> list[bytes]:
        """The keys, the newest first."""
        settings = self._settings.fresh()
        if settings is not self._settings:
            self._settings, key = settings, _signing_key(settings)
            if key != self._keys[0]:
                self._keys, self._until = [key, self._keys[0]], monotonic() + KEEP_SECONDS
        return self._keys if monotonic() < self._until else self._keys[:1]


def _signing_key(settings: Settings) -> bytes:
    """The key of the settings. Without one, hosts that share an S3 secret share a key made of it.

    Else the data folder keeps a key.
    """
    from stemsvc.storage.local import signing_key

    given, secret = settings.storage_secret.get_secret_value(), settings.s3_secret_access_key
    if settings.storage == "s3" and not given and secret:
        return hmac.new(secret.get_secret_value().encode(), b"stemsvc signed URLs", hashlib.sha256).digest()
    return signing_key(settings.data_dir / "signing.key", given)
