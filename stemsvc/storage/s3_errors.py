"""What an S3 endpoint's errors mean: botocore's exceptions become ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from stemsvc.errors import (
    ObjectMissing,
    StemsvcError,
    StorageDenied,
    StorageError,
    StorageMissing,
    StorageUnavailable,
)

# The codes of answers, by what they say
SKEWED = {"RequestTimeTooSkewed", "RequestExpired"}
DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Unauthorized", "403", "401", "Forbidden"}
MISSING_BUCKET = {"NoSuchBucket"}
MISSING_OBJECT = {"NoSuchKey", "404", "NotFound"}
ABORTED = {"NoSuchUpload"}
UNKNOWN_CALL = {"NotImplemented", "MethodNotAllowed", "501", "405"}


@contextlib.contextmanager
def translated(bucket: str) -> Iterator[None]:
    """Turn botocore's exceptions into ours."""
    try:
        yield
    except ClientError as error:
        raise _from_response(error, bucket) from error
    except NoCredentialsError as error:
        raise StorageDenied("no S3 credentials are set") from error
    except Boto3Error as error:  # S3UploadFailedError carries the ClientError only as its context
        cause = error.__context__ or error.__cause__
        if isinstance(cause, ClientError):
            raise _from_response(cause, bucket) from error
        raise StorageUnavailable(str(error)) from error
    except BotoCoreError as error:
        raise StorageUnavailable(str(error)) from error


def _from_response(error: ClientError, bucket: str) -> StemsvcError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in MISSING_BUCKET:
        return StorageMissing(f"the bucket {bucket!r} does not exist")
    if code in MISSING_OBJECT:
        return ObjectMissing("no such object")
    if code in ABORTED:
        return StorageUnavailable("the object was deleted before it was whole")
    if code in SKEWED:  # its answer had no date to sign by; the next host may have a better clock
        return StorageUnavailable(f"this machine's clock and the S3 endpoint's differ by too much ({code})")
    if code in DENIED or status in (401, 403):
        return StorageDenied(f"the S3 endpoint refuses these credentials ({code})")
    if status >= 500 or status == 429 or code in ("SlowDown", "RequestTimeout"):
        return StorageUnavailable(f"the S3 endpoint answers {status} {code}")
    return StorageError(f"the S3 endpoint answers {status} {code}")
