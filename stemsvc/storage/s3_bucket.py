"""What our bucket needs of who owns it: a policy for our credentials, rules for browsers, rules that clean it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from stemsvc.storage.s3_options import ObjectOptions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DAY = 86400.0  # seconds
OURS = "stemsvc-"  # begins the ids of our rules: others of the bucket stay
FOLDERS = ("jobs/", "uploads/", "doctor/")  # of our keys; `stemsvc doctor` stores in the last
UNFINISHED_DAYS = 2  # the janitor aborts uploads in parts of more than a day; this ends what it can't list
NO_RULES = {"NoSuchCORSConfiguration", "NoSuchLifecycleConfiguration"}


def policy(bucket: str, options: ObjectOptions) -> dict[str, Any]:
    """The least that our credentials must be allowed, as a policy of AWS IAM.

    A HEAD of the bucket names no prefix, which `StringLikeIfExists` lets through.
    """
    arn = f"arn:aws:s3:::{bucket}"
    objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    if options.tags:
        objects.append("s3:PutObjectTagging")
    folders = [f"{options.prefix}{folder}*" for folder in FOLDERS]
    statements: list[dict[str, Any]] = [
        {
            "Sid": "Objects",
            "Effect": "Allow",
            "Action": objects,
            "Resource": [f"{arn}/{folder}" for folder in folders],
        },
        {
            "Sid": "List",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
            "Resource": arn,
            "Condition": {"StringLikeIfExists": {"s3:prefix": folders}},
        },
    ]
    if options.encryption.startswith("aws:kms"):
        statements.append(
            {
                "Sid": "Key",
                "Effect": "Allow",
                "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
                "Resource": options.kms_key_id if options.kms_key_id.startswith("arn:") else "*",
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def cors(origins: Sequence[str]) -> dict[str, Any]:
    """The rule that lets pages of these origins send files to signed URLs, and play and save what is there."""
    rule = {
        "ID": f"{OURS}pages",
        "AllowedOrigins": list(origins) or ["*"],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
        "MaxAgeSeconds": 3600,
    }
    return {"CORSRules": [rule]}


def lifecycle(options: ObjectOptions, upload_seconds: float) -> dict[str, Any]:
    """Rules that end what no janitor of ours ended: uploads past their `upload_seconds`, uploads in parts."""
    rules = [
        {
            "ID": f"{OURS}uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{options.prefix}uploads/"},
            "Expiration": {"Days": math.ceil(upload_seconds / DAY) + 1},
        },
        {
            "ID": f"{OURS}unfinished",
            "Status": "Enabled",
            "Filter": {"Prefix": options.prefix},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
        },
    ]
    return {"Rules": rules}


class Bucket:
    """What its owner may do with a bucket; our service itself needs none of this. Raises botocore's errors."""

    def __init__(self, client: S3Client, name: str, region: str) -> None:
        self._client = client
        self._name = name
        self._region = region

    def create(self) -> bool:
        """Make the bucket; False where this account has it already."""
        known = self._region not in ("auto", "us-east-1")  # these two are refused as a constraint
        where: Any = {"CreateBucketConfiguration": {"LocationConstraint": self._region}} if known else {}
        try:
            self._client.head_bucket(Bucket=self._name)
            return False
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 404:
                raise
        self._client.create_bucket(Bucket=self._name, **where)
        return True

    def allow_pages(self, wanted: dict[str, Any]) -> None:
        """Put our CORS rule beside the others."""
        others = self._others(lambda: self._client.get_bucket_cors(Bucket=self._name).get("CORSRules", []))
        rules = cast(Any, [*others, *wanted["CORSRules"]])
        self._client.put_bucket_cors(Bucket=self._name, CORSConfiguration={"CORSRules": rules})

    def clean_by(self, wanted: dict[str, Any]) -> None:
        """Put our lifecycle rules beside the others."""
        others = self._others(
            lambda: self._client.get_bucket_lifecycle_configuration(Bucket=self._name).get("Rules", [])
        )
        rules = cast(Any, [*others, *wanted["Rules"]])
        self._client.put_bucket_lifecycle_configuration(Bucket=self._name, LifecycleConfiguration={"Rules": rules})

    def _others(self, read: Any) -> list[Any]:
        try:
            return [rule for rule in read() if not str(rule.get("ID", "")).startswith(OURS)]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in NO_RULES:
                return []
            raise
