"""Object storage: one interface, implemented by an S3 client and by a local folder."""

from __future__ import annotations

from stemsvc.settings import Settings
from stemsvc.storage.base import ATTEMPTS
from stemsvc.storage.base import Storage as Storage


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
    from stemsvc.storage.local import LocalStorage, signing_key

    given = settings.storage_secret.get_secret_value()
    return LocalStorage(
        settings.data_dir / "objects",
        signing_key(settings.data_dir / "signing.key", given),
        settings.public_url,
    )
