"""The report of a day for operators: jobs, failures, waiting times, devices' hours, cost, storage, the largest keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stemsvc.jobstore import JobStore
from stemsvc.jobstore.daily import Daily
from stemsvc.jobstore.usage import Account

HOUR = 3600.0
STATES = ("succeeded", "failed", "canceled", "running", "queued")  # expired jobs had succeeded
TOP = 10  # keys and models that are named


@dataclass(frozen=True)
class Prices:
    """The operator's prices: of a device's hour, and the currency's name."""

    device_hour: float
    currency: str


def daily_report(store: JobStore, daily: Daily, since: float, until: float, prices: Prices) -> dict[str, Any]:
    """The report of jobs accepted from `since` on and before `until`, in seconds since the epoch, hour by hour.

    Waiting times are from acceptance to the first attempt, by the nearest-rank percentile. Raises the store's errors.
    """
    waits, models, stored = daily.read(since, until)
    accounts = store.usage.accounts(since, until)
    names = {key.id: key.name for key in store.keys.all()}
    seconds = sum(each.device_seconds for each in accounts)
    failed = store.failures(since, until)
    return {
        "since": _iso(since),
        "until": _iso(until),
        "jobs": _states(accounts),
        "cached": sum(each.cached for each in accounts),
        "audio_hours": round(sum(each.audio_seconds for each in accounts) / HOUR, 3),
        "device_hours": round(seconds / HOUR, 3),
        "cost": round(seconds / HOUR * prices.device_hour, 2),
        "currency": prices.currency,
        "waiting": _percentiles([wait for _, wait in waits]),
        "stored_bytes": sum(stored.values()),
        "failures": [
            {"code": each.code, "kind": each.kind, "count": each.count, "last_job": each.last_job} for each in failed
        ],
        "models": [
            {
                "kind": each.kind,
                "model": each.model,
                "jobs": each.jobs,
                "device_hours": round(each.device_seconds / HOUR, 3),
            }
            for each in models[:TOP]
        ],
        "keys": _keys(accounts, names, stored, prices),
        "hours": _hours(store, since, until, waits, prices),
    }


def _states(accounts: Sequence[Account]) -> dict[str, int]:
    counts = dict.fromkeys(STATES, 0)
    for account in accounts:
        for state, count in account.jobs.items():
            name = "succeeded" if state == "expired" else state
            counts[name] = counts.get(name, 0) + count
    return counts


def _keys(
    accounts: Sequence[Account], names: dict[str, str], stored: dict[str, int], prices: Prices
) -> list[dict[str, Any]]:
    most = sorted(accounts, key=lambda each: (-each.device_seconds, -each.total, each.owner))[:TOP]
    return [
        {
            "key": each.owner or None,
            "name": names.get(each.owner),
            "jobs": each.total,
            "failed": each.jobs.get("failed", 0),
            "device_hours": round(each.device_seconds / HOUR, 3),
            "cost": round(each.device_seconds / HOUR * prices.device_hour, 2),
            "stored_bytes": stored.get(each.owner, 0),
        }
        for each in most
    ]


def _hours(
    store: JobStore, since: float, until: float, waits: Sequence[tuple[float, float]], prices: Prices
) -> list[dict[str, Any]]:
    used = store.usage.periods(since, until, HOUR)
    found = []
    for number in range(math.floor(since / HOUR), math.ceil(until / HOUR)):
        account = used.get(number, Account(""))
        here = [wait for at, wait in waits if math.floor(at / HOUR) == number]
        found.append(
            {
                "at": _iso(number * HOUR),
                "jobs": _states([account]),
                "device_hours": round(account.device_seconds / HOUR, 3),
                "waiting": _percentiles(here),
            }
        )
    return found


def _percentiles(waits: Sequence[float]) -> dict[str, float | None]:
    """Median, 95th percentile and maximum in seconds, by nearest rank; None where nothing began."""
    ordered = sorted(waits)
    return {name: _rank(ordered, share) for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))}


def _rank(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3) if ordered else None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
