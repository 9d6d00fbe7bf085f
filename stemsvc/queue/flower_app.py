"""The Celery app without the workers' code, for Flower; and Flower's password, asked for before every page.

Flower decorates the handlers that ask for it, and leaves out `/metrics`, which names tasks and workers. So each
handler is replaced by one that asks first. `/healthcheck` says `OK` to everyone: probes have no password.
"""

from __future__ import annotations

from typing import Any

from flower import urls
from flower.views import BaseHandler
from flower.views.auth import LoginHandler
from flower.views.monitor import Healthcheck, Metrics
from tornado.web import HTTPError

from stemsvc.queue.celery import make_celery
from stemsvc.settings import Settings

OPEN = (Healthcheck, LoginHandler)


def _locked(handler: Any) -> Any:
    """The handler, which asks who is there before it does anything."""
    if not issubclass(handler, BaseHandler) or issubclass(handler, OPEN):  # files that Flower comes with are no secret
        return handler

    def prepare(self: Any) -> Any:
        if not self.current_user and issubclass(handler, Metrics):  # a page sends a browser to the login instead
            raise HTTPError(401)
        return handler.prepare(self)

    return type(handler.__name__, (handler,), {"prepare": prepare})


def _lock_all() -> None:
    for number, route in enumerate(urls.handlers):  # Flower's own list, which it reads when it starts
        if isinstance(route, tuple):
            urls.handlers[number] = (route[0], _locked(route[1]), *route[2:])
        else:
            route.target = route.handler_class = _locked(route.handler_class)


_lock_all()
app = make_celery(Settings())
