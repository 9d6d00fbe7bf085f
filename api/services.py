"""The services that the views use: one set for each process, kept on the Flask app."""

from __future__ import annotations

from typing import cast

from flask import current_app

from stemsvc.control.services import Services


def services() -> Services:
    """The services of the app that handles this request."""
    return cast(Services, current_app.extensions["stemsvc"])
