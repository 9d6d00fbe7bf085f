"""Object storage: one interface, implemented by an S3 client and by a local folder."""

from __future__ import annotations

import hashlib
import hmac

from stemsvc.settings import Settings
from stemsvc.storage.base import ATTEMPTS
from stemsvc.storage.base import Storage as Storage
from stemsvc.storage.signing import Signer


def open_storage(settings: Settings, attempts: int = ATTEMPTS) -> Storage:
    """The storage that the settings name. Opens no connection. `attempts` is how often a call to S3 is tried."""
    if settings.storage == "s3":
        from stemsvc.storage.s3 import S3Storage

        secret = settings.s3_secret_access_key
        return S3Storage(
            bucket=settings.s3_bucket,
            endpoint_url=settings.s3_endpoint_url,
            public_endpoint_url=settings.s3_public_endpoint_url,
            region=settings.s3_region,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=secret.get_secret_value() if secret else None,
            attempts=attempts,
        )
    from stemsvc.storage.local import LocalStorage

    return LocalStorage(settings.data_dir / "objects", _signing_key(settings), settings.public_url)


def open_signer(settings: Settings) -> Signer:
    """Signs the URLs that the api serves itself, the same in every process of an installation."""
    return Signer(_signing_key(settings), settings.public_url)


def _signing_key(settings: Settings) -> bytes:
    """The key of the settings. Without one, hosts that share an S3 secret share a key made of it.

    Else the data folder keeps a key.
    """
    from stemsvc.storage.local import signing_key

    given, secret = settings.storage_secret.get_secret_value(), settings.s3_secret_access_key
    if settings.storage == "s3" and not given and secret:
        return hmac.new(secret.get_secret_value().encode(), b"stemsvc signed URLs", hashlib.sha256).digest()
    return signing_key(settings.data_dir / "signing.key", given)
