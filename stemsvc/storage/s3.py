"""Objects in an S3 bucket through boto3: AWS, Cloudflare R2, MinIO, SeaweedFS and others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from stemsvc.errors import StorageMissing, StorageUnavailable
from stemsvc.observe.loggers import get_logger
from stemsvc.observe.metrics import timed
from stemsvc.storage.base import ATTEMPTS, SignedPut, scratch_errors
from stemsvc.storage.disposition import attachment
from stemsvc.storage.endpoint_clock import CLOCK
from stemsvc.storage.parts import are_whole
from stemsvc.storage.ranges import Ranges
from stemsvc.storage.s3_clients import Clients, Credentials
from stemsvc.storage.s3_errors import ABORTED, DENIED, UNKNOWN_CALL, translated
from stemsvc.storage.s3_options import ObjectOptions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

log = get_logger()
PART_BYTES = 16 * 1024 * 1024  # R2 requires parts of equal size, except the last; boto3 makes such parts
PUT_TYPE = "application/octet-stream"
COPY_BYTES = 5 * 1024**3  # S3 copies no larger object in one call (CopyObject's own limit)
COPY_PART_BYTES = 512 * 1024**2
DRAFT_SECONDS = 86400.0  # no write lasts longer; an upload in parts that is older has lost its writer


class S3Storage:
    """`Storage` in one bucket. The client is made at first use and shared between threads.

    `credentials` says before each call which key and secret count, in place of the two given.
    `options` say how objects lie in the bucket; keys are without its prefix. `addressing` is `path`, `virtual`, `auto`.
    `draft_seconds` is the least age of an upload in parts that `clear_drafts` aborts. A call is tried `attempts` times.
    """

    receives = False

    def __init__(
        self,
        bucket: str,
        endpoint_url: str | None = None,
        public_endpoint_url: str | None = None,
        region: str = "auto",
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        draft_seconds: float = DRAFT_SECONDS,
        attempts: int = ATTEMPTS,
        credentials: Callable[[], Credentials] | None = None,
        options: ObjectOptions | None = None,
        addressing: str = "auto",
    ) -> None:
        self._bucket = bucket
        self._endpoint_url = endpoint_url
        self._public_endpoint_url = public_endpoint_url or endpoint_url
        self._draft_seconds = draft_seconds
        self._options = options or ObjectOptions()
        self._clients = Clients(
            region="us-east-1" if region == "auto" and endpoint_url is None else region,
            credentials=credentials or (lambda: (access_key_id, secret_access_key)),
            attempts=attempts,
            addressing=addressing,
        )

    @timed("put")
    def put(self, key: str, data: BinaryIO, content_type: str) -> int:
        """See `Storage.put`; large bodies go up in parts."""
        counted = _Counted(data)
        with translated(self._bucket):
            client = self._client(self._endpoint_url)
            client.upload_fileobj(
                cast(BinaryIO, counted),
                self._bucket,
                self._place(key),
                ExtraArgs={"ContentType": content_type, **self._options.arguments},
                Config=_transfer(),
            )
        return counted.count

    @timed("fetch")
    def fetch(self, key: str, path: Path) -> None:
        """See `Storage.fetch`."""
        with translated(self._bucket), scratch_errors():
            self._client(self._endpoint_url).download_file(self._bucket, self._place(key), str(path))

    @timed("open")
    def open(self, key: str) -> BinaryIO:
        """See `Storage.open`: read by ranges."""
        with translated(self._bucket):
            client = self._client(self._endpoint_url)
            size = int(client.head_object(Bucket=self._bucket, Key=self._place(key))["ContentLength"])

        return cast(BinaryIO, Ranges(size, lambda first, last: self._range(key, first, last)))

    @timed("read")
    def read(self, key: str, start: int, count: int) -> bytes:
        """See `Storage.read`."""
        return self._range(key, start, start + count - 1) if count > 0 else b""

    def _range(self, key: str, first: int, last: int) -> bytes:
        """The bytes of a range, both ends included."""
        with translated(self._bucket):
            client = self._client(self._endpoint_url)
            place = self._place(key)
            return client.get_object(Bucket=self._bucket, Key=place, Range=f"bytes={first}-{last}")["Body"].read()

    @timed("delete")
    def delete(self, prefix: str) -> int:
        """See `Storage.delete`."""
        keys = self.keys(prefix)
        with translated(self._bucket):
            for first in range(0, len(keys), 1000):  # the most that one call takes
                objects = [{"Key": self._place(key)} for key in keys[first : first + 1000]]
                client = self._client(self._endpoint_url)
                client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})  # type: ignore[typeddict-item]
        self._abort_uploads(prefix, datetime.max.replace(tzinfo=UTC))
        return len(keys)

    @timed("clear_drafts")
    def clear_drafts(self, prefixes: Sequence[str]) -> int:
        """See `Storage.clear_drafts`: uploads in parts that were begun more than `draft_seconds` ago."""
        before = CLOCK.now() - timedelta(seconds=self._draft_seconds)
        return sum(self._abort_uploads(prefix, before) for prefix in prefixes)

    def _abort_uploads(self, prefix: str, before: datetime) -> int:
        """Abort uploads in parts to keys with this prefix that were begun before then; returns how many."""
        count = 0
        with translated(self._bucket):
            client = self._client(self._endpoint_url)
            pages = client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._place(prefix)
            )
            try:
                for each in [upload for page in pages for upload in page.get("Uploads", [])]:
                    if each["Initiated"] < before:
                        with contextlib.suppress(client.exceptions.NoSuchUpload):  # it ended since it was listed
                            client.abort_multipart_upload(
                                Bucket=self._bucket, Key=each["Key"], UploadId=each["UploadId"]
                            )
                            count += 1
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code in ABORTED:  # what rclone answers while no upload in parts was ever begun
                    return count
                if code not in DENIED | UNKNOWN_CALL:
                    raise
                # What was deleted is deleted all the same. The bucket's own lifecycle rules must end such uploads.
                log.warning("can't list or abort uploads in parts", bucket=self._bucket, code=code)
        return count

    @timed("keys")
    def sizes(self, prefix: str) -> dict[str, int]:
        """See `Storage.sizes`."""
        with translated(self._bucket):
            pages = self._client(self._endpoint_url).get_paginator("list_objects_v2")
            found = pages.paginate(Bucket=self._bucket, Prefix=self._place(prefix))
            own = len(self._options.prefix)
            sizes = {item["Key"][own:]: int(item["Size"]) for page in found for item in page.get("Contents", [])}
            return dict(sorted(sizes.items()))

    def keys(self, prefix: str) -> list[str]:
        """See `Storage.keys`."""
        return list(self.sizes(prefix))

    def signed_url(self, key: str, seconds: int, filename: str, content_type: str, sha256: str = "") -> str:
        """See `Storage.signed_url`: a presigned GET."""
        params = {
            "Bucket": self._bucket,
            "Key": self._place(key),
            "ResponseContentDisposition": attachment(filename),
            "ResponseContentType": content_type,
        }
        with translated(self._bucket):
            client = self._client(self._public_endpoint_url)
            return client.generate_presigned_url("get_object", Params=params, ExpiresIn=seconds)

    def signed_put(self, key: str, seconds: int, max_bytes: int, bytes: int | None = None) -> SignedPut:
        """See `Storage.signed_put`: a presigned PUT. S3 enforces the announced `bytes`, but not `max_bytes`.

        The type is not signed: a client that sends another one, or none, stores the same bytes. What the options say of
        objects is signed, and must be sent.
        """
        params: dict[str, object] = {"Bucket": self._bucket, "Key": self._place(key), **self._options.arguments}
        if bytes is not None:
            params["ContentLength"] = bytes
        with translated(self._bucket):
            client = self._client(self._public_endpoint_url)
            url = client.generate_presigned_url("put_object", Params=params, ExpiresIn=seconds)
        return SignedPut(url, {"Content-Type": PUT_TYPE, **self._options.headers})

    @timed("begin")
    def begin(self, key: str) -> str:
        """See `Storage.begin`: an upload in parts. A part must have 5 MiB at least, but the last."""
        with translated(self._bucket):
            made = self._client(self._endpoint_url).create_multipart_upload(
                Bucket=self._bucket,
                Key=self._place(key),
                ContentType=PUT_TYPE,
                **self._options.arguments,  # type: ignore[arg-type]
            )
        return made["UploadId"]

    def signed_part(self, key: str, begun: str, number: int, seconds: int, bytes: int) -> SignedPut:
        """See `Storage.signed_part`: a presigned UploadPart."""
        params = {
            "Bucket": self._bucket,
            "Key": self._place(key),
            "UploadId": begun,
            "PartNumber": number,
            "ContentLength": bytes,
        }
        with translated(self._bucket):
            client = self._client(self._public_endpoint_url)
            url = client.generate_presigned_url("upload_part", Params=params, ExpiresIn=seconds)
        return SignedPut(url, {"Content-Type": PUT_TYPE})

    def parts(self, key: str, begun: str) -> dict[int, int]:
        """See `Storage.parts`."""
        return {number: size for number, (size, _) in self._parts(key, begun).items()}

    @timed("parts")
    def _parts(self, key: str, begun: str) -> dict[int, tuple[int, str]]:
        """The size and the ETag of each part."""
        with translated(self._bucket):
            client = self._client(self._endpoint_url)
            pages = client.get_paginator("list_parts")
            try:
                found = [
                    part
                    for page in pages.paginate(Bucket=self._bucket, Key=self._place(key), UploadId=begun)
                    for part in page.get("Parts", [])
                ]
            except client.exceptions.NoSuchUpload:
                return {}
        return {part["PartNumber"]: (part["Size"], part["ETag"]) for part in found}

    @timed("join")
    def join(self, key: str, begun: str, sizes: Sequence[int]) -> None:
        """See `Storage.join`."""
        if self.size(key) == sum(sizes):
            return
        found = self._parts(key, begun)
        if not are_whole(self, key, {number: size for number, (size, _) in found.items()}, sizes):
            return
        numbers = range(1, len(sizes) + 1)
        with translated(self._bucket):
            client = self._client(self._endpoint_url)
            try:
                client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=self._place(key),
                    UploadId=begun,
                    MultipartUpload={"Parts": [{"PartNumber": each, "ETag": found[each][1]} for each in numbers]},
                )
            except client.exceptions.NoSuchUpload:  # somebody else has joined them, or deleted the upload
                if self.size(key) != sum(sizes):
                    raise

    @timed("size")
    def size(self, key: str) -> int | None:
        """See `Storage.size`."""
        with translated(self._bucket):
            try:
                client = self._client(self._endpoint_url)
                return int(client.head_object(Bucket=self._bucket, Key=self._place(key))["ContentLength"])
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                    return None
                raise

    @timed("copy")
    def copy(self, source: str, target: str) -> None:
        """See `Storage.copy`: the endpoint copies the object, in parts only where it is too large for one call."""
        whole = TransferConfig(multipart_threshold=COPY_BYTES, multipart_chunksize=COPY_PART_BYTES)
        with translated(self._bucket):
            try:
                client = self._client(self._endpoint_url)
                origin: CopySourceTypeDef = {"Bucket": self._bucket, "Key": self._place(source)}
                client.copy(origin, self._bucket, self._place(target), ExtraArgs=self._copied(), Config=whole)
            except KeyError as error:  # some endpoints answer 200 to the copy of a part, and mean something else
                raise StorageUnavailable("the S3 endpoint's answer to a copy can't be read") from error

    def _copied(self) -> dict[str, str]:
        """What a copy is told: without the directive it has the tags of its source, and ours are refused."""
        found = self._options.arguments
        return {**found, "TaggingDirective": "REPLACE"} if "Tagging" in found else found

    def check_room(self, bytes: int) -> None:
        """See `Storage.check_room`: never raises, because a bucket does not report its free space."""

    @timed("check")
    def check(self) -> None:
        """See `Storage.check`."""
        with translated(self._bucket):
            try:
                self._client(self._endpoint_url).head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                    raise StorageMissing(f"the bucket {self._bucket!r} does not exist") from error
                raise

    def client(self) -> S3Client:
        """The client of the endpoint that the service itself calls."""
        return self._client(self._endpoint_url)

    def _place(self, key: str) -> str:
        """Where an object lies in the bucket."""
        return self._options.prefix + key

    def _client(self, endpoint: str | None) -> S3Client:
        return self._clients.of(endpoint)


def _transfer() -> TransferConfig:
    return TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=4)


class _Counted:
    """A readable that counts the bytes read from it; the source's own `tell` may say something else."""

    def __init__(self, data: BinaryIO) -> None:
        self._data = data
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        part = self._data.read(size)
        self.count += len(part)
        return part
