"""`stemsvc storage`: what the owner of an S3 bucket sets up for the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import plain_settings, print_json
from stemsvc.errors import BadSetting

if TYPE_CHECKING:
    from stemsvc.settings import Settings
    from stemsvc.storage.s3_bucket import Bucket

APPLY = click.option("--apply", is_flag=True, help="set it on the bucket, beside its other rules, and print nothing")
ORIGIN = click.option("--origin", "origins", multiple=True, help="such as https://music.example.org; repeatable")


@click.group()
def storage() -> None:
    """Print what an S3 bucket needs, or set it with credentials that may do so. The service itself needs less."""


@storage.command()
def policy() -> None:
    """Print the least that the service's credentials must be allowed, as a policy of AWS IAM."""
    from stemsvc.storage import object_options
    from stemsvc.storage.s3_bucket import policy as made

    settings = _settings()
    print_json(made(settings.s3_bucket, object_options(settings)))


@storage.command()
@ORIGIN
@APPLY
def cors(origins: tuple[str, ...], apply: bool) -> None:
    """Print the rule that lets pages send files to the bucket, and play and save those that are there.

    Without --origin it is for the pages of STEMSVC_PUBLIC_URL and STEMSVC_CORS_ORIGINS, or for all.
    """
    from stemsvc.storage.s3_bucket import cors as made

    settings = _settings()
    rules = made(origins or page_origins(settings))
    _print_or(apply, rules, lambda: _bucket(settings).allow_pages(rules))


@storage.command()
@APPLY
def lifecycle(apply: bool) -> None:
    """Print rules that end uploads nobody used, and uploads in parts that nobody finished."""
    from stemsvc.storage import object_options
    from stemsvc.storage.s3_bucket import lifecycle as made

    settings = _settings()
    rules = made(object_options(settings), settings.upload_ttl_seconds)
    _print_or(apply, rules, lambda: _bucket(settings).clean_by(rules))


@storage.command()
def create() -> None:
    """Make the bucket that STEMSVC_S3_BUCKET names, if it is not there."""
    from stemsvc.storage.s3_errors import translated

    settings = _settings()
    with translated(settings.s3_bucket):
        made = _bucket(settings).create()
    click.echo(f"the bucket {settings.s3_bucket} {'is made' if made else 'is there already'}")


def page_origins(settings: Settings) -> list[str]:
    """The origins of the pages that may use the bucket, by the settings; `*` stands for all."""
    from urllib.parse import urlsplit

    named = [each.strip() for each in settings.cors_origins.split(",") if each.strip()]
    public = urlsplit(settings.public_url)
    return [*([f"{public.scheme}://{public.netloc}"] if public.netloc else []), *named]


def _print_or(apply: bool, rules: dict[str, Any], act: Callable[[], None]) -> None:
    from stemsvc.storage.s3_errors import translated

    if not apply:
        print_json(rules)
        return
    with translated(plain_settings().s3_bucket):
        act()


def _settings() -> Settings:
    settings = plain_settings()
    if settings.storage != "s3":
        raise BadSetting("STEMSVC_STORAGE: it is `local`, which has no bucket")
    return settings


def _bucket(settings: Settings) -> Bucket:
    from stemsvc.storage import open_bucket

    return open_bucket(settings)
