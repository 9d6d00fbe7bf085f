"""What clients used, as they and operators read it."""

from __future__ import annotations

from typing import Any

from stemsvc.jobstore.usage import Account


def bill(account: Account, price_per_hour: float) -> dict[str, Any]:
    """An account with minutes of audio and the price of its device seconds; `price_per_hour` is of a device."""
    return {
        "key": account.owner or None,
        "jobs": account.jobs,
        "cached": account.cached,
        "audio_minutes": round(account.audio_seconds / 60, 3),
        "device_seconds": round(account.device_seconds, 3),
        "cost": round(account.device_seconds / 3600 * price_per_hour, 4),
    }
