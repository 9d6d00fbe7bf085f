"""`stemsvc keys`: the operator makes, lists, changes, renews and revokes clients' keys."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from stemsvc.accounts.bootstrap import BOOTSTRAP, VARIABLE
from stemsvc.accounts.keys import DEFAULT_SCOPES, LONGEST_NAME, Key, Scope, new_key, renewed
from stemsvc.accounts.retention import DAY, LEAST_DAYS, MOST_DAYS
from stemsvc.cli.acting import acting
from stemsvc.cli.stores import opened_store, whole_id
from stemsvc.cli.terminal import AS_JSON, Listing, moment, plain_settings, print_json
from stemsvc.errors import BadArguments, BadName, KeyNotFound, NotLoopback
from stemsvc.jobs.record import Priority

if TYPE_CHECKING:
    from stemsvc.jobstore import JobStore

PRIORITY = click.Choice([each.word for each in Priority])
KEY_ID = click.argument("key_id")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
NEVER = "never"
DEFAULT = "as STEMSVC_STEMS_TTL_SECONDS says"


class ExpiryType(click.ParamType[float]):
    """A time from now, such as `30d`, or a day or moment in ISO 8601; in seconds since the epoch. 0 for `never`."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse what is no moment to come."""
        if isinstance(value, float):
            return value
        if value == NEVER:
            return 0.0
        if found := re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", value):
            at = time.time() + float(found[1]) * SECONDS[found[2]]
        else:
            try:
                read = datetime.fromisoformat(value)
            except ValueError:
                self.fail(f"{value!r} is no time such as 12h, 30d or 2w, and no day such as 2027-01-31", param, ctx)
            at = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
        if at <= time.time():
            self.fail(f"{value!r} is over", param, ctx)
        if at >= datetime.max.replace(tzinfo=UTC).timestamp():
            self.fail(f"{value!r} is too far away; leave it out for a key that never expires", param, ctx)
        return at


class RetentionType(click.ParamType[float]):
    """Days, or `default`, which is 0."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse what is no number of days."""
        if value == "default":
            return 0.0
        return click.FloatRange(LEAST_DAYS, MOST_DAYS).convert(value, param, ctx)


@click.group()
def keys() -> None:
    """Make, list, change, renew and revoke clients' keys.

    Once a key exists, every request needs one; `stemsvc keys disable-auth` is the way back. The beginning of an id is
    enough where a command takes KEY_ID.
    """


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([str(scope) for scope in Scope]),
    default=[str(scope) for scope in DEFAULT_SCOPES],
    show_default=True,
    help="what the key may do; repeatable",
)
@click.option(
    "--max-waiting", type=click.IntRange(0), help="most jobs that may wait; default: STEMSVC_MAX_WAITING_PER_KEY"
)
@click.option("--minutes-per-day", type=click.FloatRange(0), help="audio that the key may send; default: no limit")
@click.option(
    "--max-stored-bytes",
    type=click.IntRange(0),
    help="most bytes of files that the key may store; 0: no limit; default: STEMSVC_MAX_STORED_BYTES_PER_KEY",
)
@click.option(
    "--max-priority",
    type=PRIORITY,
    default=Priority.NORMAL.word,
    show_default=True,
    help="highest priority of its jobs; a key with the scope admin may send any",
)
@click.option(
    "--retention-days",
    type=click.FloatRange(LEAST_DAYS, MOST_DAYS),
    help="days that files of its jobs are kept after their end; default: STEMSVC_STEMS_TTL_SECONDS",
)
@click.option("--expires", type=ExpiryType(), help="when it ends: 12h, 30d, 2w, or a day such as 2027-01-31")
@click.option("--yes", is_flag=True, help="do not ask before the first key")
def create(
    name: str,
    scopes: tuple[str, ...],
    max_waiting: int | None,
    minutes_per_day: float | None,
    max_stored_bytes: int | None,
    max_priority: str,
    retention_days: float | None,
    expires: float | None,
    yes: bool,
) -> None:
    """Make a key for NAME and print it. It is shown only this once."""
    key, token = new_key(_checked(name), frozenset(Scope(scope) for scope in scopes))
    key = replace(
        key,
        max_waiting=max_waiting,
        minutes_per_day=minutes_per_day,
        max_stored_bytes=max_stored_bytes,
        max_priority=Priority[max_priority.upper()],
        retention_seconds=None if retention_days is None else retention_days * DAY,
        expires_at=expires or None,
    )
    with opened_store() as store:
        if not store.keys.any():
            _warn_of_the_first(yes)
        store.keys.add(key, acting())
    until = f", until {moment(key.expires_at)}" if key.expires_at else ""
    click.echo(f"key {key.id} for {key.name}: {', '.join(sorted(key.scopes))}{until}", err=True)
    click.echo(token)


def _warn_of_the_first(yes: bool) -> None:
    click.echo(
        "no key is needed now; once this one exists, every request needs a key. "
        "`stemsvc keys disable-auth` is the way back",
        err=True,
    )
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm("make it?", abort=True, err=True)


@keys.command("list")
@AS_JSON
def list_(as_json: bool) -> None:
    """List the keys. Their secrets are not stored."""
    with opened_store() as store:
        found, needed = store.keys.all(), store.keys.any()
    if as_json:
        print_json([*map(_facts, found)])
        return
    if found:
        listing = Listing("id", "name", "scopes", "limits", "priority", "created", "expires", "revoked")
        for key in found:
            times = (_shown(each) for each in (key.created_at, key.expires_at, key.revoked_at))
            listing.add(key.id, key.name, " ".join(sorted(key.scopes)), _limits(key), key.highest.word, *times)
        listing.show()
    if not needed:
        click.echo(f"no {'key is needed' if found else 'keys'}: anyone who reaches the api on the loopback can use it")


@keys.command()
@KEY_ID
@click.option("--max-priority", type=PRIORITY, help="highest priority of its jobs from now on")
@click.option("--expires", type=ExpiryType(), help="when it ends: as for `create`, or `never`")
@click.option(
    "--retention-days",
    type=RetentionType(),
    help="days that files of its jobs are kept, also of those that have ended; `default`: as for all keys",
)
def change(key_id: str, max_priority: str | None, expires: float | None, retention_days: float | None) -> None:
    """Change what the key KEY_ID may do. The api knows within seconds. Jobs that were accepted stay as they are."""
    if max_priority is None and expires is None and retention_days is None:
        raise click.UsageError("give --max-priority, --expires or --retention-days")
    with opened_store() as store:
        key = _valid(store, key_id)
        if max_priority is not None:
            store.keys.allow(key.id, Priority[max_priority.upper()], acting())
            click.echo(f"jobs of {key.id} have at most the priority {max_priority}")
        if expires is not None:
            store.keys.expire(key.id, expires or None, acting())
            click.echo(f"{key.id} expires {moment(expires) if expires else NEVER}")
        if retention_days is not None:
            store.keys.retain(key.id, retention_days * DAY or None, acting())
            click.echo(
                f"files of jobs of {key.id} are kept {f'{retention_days:g} days' if retention_days else DEFAULT}"
            )


@keys.command()
@KEY_ID
@click.argument("name")
def rename(key_id: str, name: str) -> None:
    """Call the key KEY_ID by another NAME."""
    with opened_store() as store:
        key = _not_of_a_setting(_valid(store, key_id))
        store.keys.rename(key.id, _checked(name), acting())
    click.echo(f"{key.id} is called {name.strip()}")


@keys.command()
@KEY_ID
@click.option(
    "--keep-hours",
    type=click.FloatRange(0),
    default=24.0,
    show_default=True,
    help="time that the old secret still works",
)
def rotate(key_id: str, keep_hours: float) -> None:
    """Make a new secret for the key KEY_ID and print the key. The old one works beside it for some hours."""
    with opened_store() as store:
        key, token = renewed(_not_of_a_setting(_valid(store, key_id)), time.time() + keep_hours * 3600)
        store.keys.renew(key, acting())
    click.echo(f"key {key.id} for {key.name}: the old secret works until {moment(key.old_until)}", err=True)
    click.echo(token)


@keys.command()
@KEY_ID
def revoke(key_id: str) -> None:
    """Revoke the key KEY_ID. Within seconds the api refuses it. Its jobs stay.

    The bootstrap key stays revoked while STEMSVC_BOOTSTRAP_KEY has it; another key in the setting takes its place.
    """
    with opened_store() as store:
        key = _valid(store, key_id)
        store.keys.revoke(key.id, acting())
    click.echo(f"revoked {key.id}")
    if key.id == BOOTSTRAP:
        click.echo(f"it stays revoked while {VARIABLE} has it: unset that, or put another key there", err=True)


@keys.command("disable-auth")
def disable_auth() -> None:
    """Let requests come without a key again, until the next key is made. Only where the api listens on the loopback.

    The keys work on: who sends one sees its jobs alone. Who sends none may do everything.
    """
    from stemsvc.embedded.state import running

    settings = plain_settings()
    stack = running(settings)
    hosts = [settings.api_host, *([stack.url.partition("://")[2].rpartition(":")[0]] if stack else [])]
    if beyond := [host for host in hosts if host.strip("[]") not in LOOPBACK]:
        raise NotLoopback(f"the api listens on {beyond[0]}, where every request needs a key")
    with opened_store() as store:
        count = store.keys.waive(acting())
    click.echo(f"within seconds no request needs a key any more; the keys that there are ({count}) work on")


def whole_key(store: JobStore, given: str) -> Key:
    """The one key whose id begins so, revoked or not. Raises `key_not_found` or `ambiguous_id`."""
    by_id = {key.id: key for key in store.keys.all()}
    found = whole_id(given, lambda start: [each for each in by_id if each.startswith(start)], _unknown(given))
    return by_id[found]


def _valid(store: JobStore, given: str) -> Key:
    by_id = {key.id: key for key in store.keys.all() if key.revoked_at is None}
    found = whole_id(given, lambda start: [each for each in by_id if each.startswith(start)], _unknown(given))
    return by_id[found]


def _unknown(given: str) -> KeyNotFound:
    return KeyNotFound(f"no valid key {given}; `stemsvc keys list` lists them")


def _not_of_a_setting(key: Key) -> Key:
    if key.id == BOOTSTRAP:
        raise BadArguments(f"this key is that of {VARIABLE}: change it there")
    return key


def _checked(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadName(f"a name has 1 to {LONGEST_NAME} printable characters")
    if name.strip().lower() == BOOTSTRAP:
        raise BadName(f"{BOOTSTRAP} is the name of the key that {VARIABLE} gives")
    return name.strip()


def _facts(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "max_waiting": key.max_waiting,
        "minutes_per_day": key.minutes_per_day,
        "max_stored_bytes": key.max_stored_bytes,
        "max_priority": key.highest.word,
        "retention_days": None if key.retention_seconds is None else key.retention_seconds / DAY,
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "old_secret_until": moment(key.old_until),
        "revoked_at": moment(key.revoked_at),
    }


def _limits(key: Key) -> str:
    """What the key says of its own limits, one a line."""
    said = {"waiting": key.max_waiting, "min/day": key.minutes_per_day, "bytes": key.max_stored_bytes}
    if key.retention_seconds is not None:
        said["days kept"] = key.retention_seconds / DAY
    return "\n".join(f"{limit:.12g} {name}" for name, limit in said.items() if limit is not None)


def _shown(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
