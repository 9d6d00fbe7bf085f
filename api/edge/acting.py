"""Who acts as an admin, for the audit log."""

from __future__ import annotations

from api.edge.auth import Caller
from api.edge.request_id import request_id
from stemsvc.accounts.keys import Scope
from stemsvc.jobstore.audit import By, Via


def acting(who: Caller) -> By | None:
    """The admin who makes this request; None for a caller who is none: what clients do to their own is not audited."""
    return By(Via.API, who.owner, request_id()) if who.may(Scope.ADMIN) else None
