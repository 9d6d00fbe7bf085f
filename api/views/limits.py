"""`/v1/limits`: what a client can know before it sends anything."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from api.edge.auth import caller
from api.schemas.fields import MOST_METADATA
from api.schemas.forms import MAX_RATE, MIN_RATE, MOST_JOBS
from api.schemas.limits import LimitsSchema
from api.schemas.shared import LONGEST_SHARE
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.jobs.encoding import CONTENT_TYPES, FORMATS
from stemsvc.kinds import registry

blueprint = Blueprint("limits", __name__, url_prefix="/v1/limits", description="Limits, before anything is sent")


@blueprint.route("")
@blueprint.response(200, LimitsSchema)
def show() -> dict[str, Any]:
    """Show the limits

    They are those of the service and of the key that asks. A job may still be refused, for what only its track shows.
    """
    parts, who = services(), caller(Scope.READ)
    settings, key = parts.settings, who.key
    waiting = key.max_waiting if key and key.max_waiting is not None else settings.max_waiting_per_key
    stored = key.max_stored_bytes if key else None
    return {
        "max_upload_bytes": settings.max_upload_bytes,
        "max_duration_seconds": settings.max_duration_seconds,
        "max_jobs_per_batch": MOST_JOBS,
        "max_metadata_bytes": MOST_METADATA,
        "max_waiting_jobs": waiting,
        "max_open_uploads": settings.max_uploads_per_key,
        "max_stored_bytes": (settings.max_stored_bytes_per_key if stored is None else stored) or None,
        "minutes_per_day": key.minutes_per_day if key else None,
        "max_priority": who.highest.word,
        "url_sources": who.may(Scope.URL_SOURCE),
        "submits": who.may(Scope.SUBMIT),
        "formats": [
            {"name": name, "content_type": CONTENT_TYPES[name], "bit_depths": list(depths)}
            for name, depths in FORMATS.items()
        ],
        "sample_rates": [MIN_RATE, MAX_RATE],
        "devices": sorted({pool.kind for pool in parts.pools}),
        "kinds": list(registry.installed()),
        "models": [entry.name for entry in parts.catalog.entries],
        "default_model": parts.catalog.default,
        "files_seconds": parts.retention.seconds(who.owner) or None,
        "jobs_seconds": settings.rows_ttl_seconds or None,
        "upload_seconds": settings.upload_ttl_seconds,
        "url_seconds": settings.url_ttl_seconds,
        "share_seconds": LONGEST_SHARE,
        "session_seconds": settings.session_seconds,
        "retry_limit": settings.max_attempts,
        "wait_seconds": settings.max_wait_seconds,
    }
