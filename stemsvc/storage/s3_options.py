"""How our objects lie in a bucket: under which prefix, in which class, encrypted and tagged how."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode


@dataclass(frozen=True)
class ObjectOptions:
    """`prefix` is empty or ends with `/`; `tags` are names and values. Whatever is empty is left to the bucket."""

    prefix: str = ""
    storage_class: str = ""
    encryption: str = ""
    kms_key_id: str = ""
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def arguments(self) -> dict[str, str]:
        """What boto3 is told of each object that is stored."""
        given = {
            "StorageClass": self.storage_class,
            "ServerSideEncryption": self.encryption,
            "SSEKMSKeyId": self.kms_key_id,
            "Tagging": urlencode(self.tags, quote_via=quote),
        }
        return {name: value for name, value in given.items() if value}

    @property
    def headers(self) -> dict[str, str]:
        """The same as the headers of a PUT: whoever stores by a signed URL must send them, for they are signed."""
        names = {
            "StorageClass": "x-amz-storage-class",
            "ServerSideEncryption": "x-amz-server-side-encryption",
            "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
            "Tagging": "x-amz-tagging",
        }
        return {names[name]: value for name, value in self.arguments.items()}


def read_tags(text: str) -> tuple[tuple[str, str], ...]:
    """Tags written as `team=audio,stage=live`, as the settings have them."""
    parts = (part.strip().partition("=") for part in text.split(",") if part.strip())
    return tuple((name, value) for name, _, value in parts)
