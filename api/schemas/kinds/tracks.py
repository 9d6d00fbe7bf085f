"""What forms of several tracks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import validate

from api.schemas.fields import JsonNested
from api.schemas.forms import KindForm, SourceFields, SourceForm

MOST_TRACKS = 64  # that a request may name; each kind says how many it takes


class TracksForm(KindForm):
    """One track or several. A whole job is one source: `{"job_id": ...}` without an output."""

    several = True

    further = JsonNested(
        SourceForm,
        many=True,
        data_key="sources",
        load_default=(),
        validate=validate.Length(max=MOST_TRACKS),
        metadata={
            "description": "where the tracks are, if there are several; a job that is named without an `output` is "
            "all of its audio files",
            "example": [{"job_id": "0f8fad5bd9cb469fa16570867728950e", "output": each} for each in ("drums", "bass")],
        },
    )

    @classmethod
    def sources(cls, form: dict[str, Any]) -> Sequence[tuple[str, SourceFields]]:
        """See `KindForm`: `source` or the file, if one is named or nothing else is, then `sources`."""
        first = [form["source"]] if form["source"] is not None or not form["further"] else []
        return [("source", source) for source in (*first, *form["further"])]
