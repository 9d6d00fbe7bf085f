"""`/docs/errors`: what each error code means, one chapter each. The `type` of a problem leads here."""

from __future__ import annotations

from flask import Blueprint, render_template_string
from markupsafe import Markup, escape

from api.edge.problem_types import PAGE
from stemsvc.errors import TABLE, StemsvcError

TEMPLATE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>stemsvc: errors by code</title>
<style>
  :root { color-scheme: light dark }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }
  :target { outline: 2px solid; outline-offset: .5rem }
  small { opacity: .7 }
</style>
<h1>Errors by code</h1>
{% for code, error in table.items() %}<section id="{{ code }}">
<h2>{{ code }}</h2>
<p>{{ words(error) }}</p>
<p><small>{% if error.status %}HTTP status {{ error.status }}{% else %}ends a job or a command{% endif %};
{{ error.kind }}: {{ kinds[error.kind] }}</small></p>
</section>
{% endfor %}</html>
"""
KINDS = {
    "usage": "the same request fails again",
    "transient": "the same request may succeed later",
    "fatal": "the operator must look",
}

CODE = Markup("<code>{}</code>")
blueprint = Blueprint("errors", __name__)


@blueprint.get(PAGE)
def page() -> str:
    """All codes, those of installed kinds too, each with what a person can do."""
    return render_template_string(TEMPLATE, table=TABLE, kinds=KINDS, words=_words)


def _words(error: type[StemsvcError]) -> Markup:
    """What a person can do, as HTML."""
    parts = " ".join((error.__doc__ or "").split()).split("`")  # every other one is code
    return Markup("").join(CODE.format(part) if number % 2 else escape(part) for number, part in enumerate(parts))
