"""The form of a generation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from marshmallow import fields, validate

from api.schemas.fields import JsonNested, NamesField, names_pattern
from api.schemas.forms import EncodedForm, SourceFields, SourceForm
from stemsvc.kinds.generate.params import (
    CHANGES,
    DEFAULT_SECONDS,
    MAX_BPM,
    MAX_SECONDS,
    MAX_SEED,
    MELODY,
    MIN_BPM,
    MIN_SECONDS,
    MOST_CANDIDATES,
    MOST_NAME,
    MOST_PROMPT,
    ORIGINAL,
    SCORE,
    SECTIONS,
    GenerateParams,
)
from stemsvc.music.genres import genre_names
from stemsvc.music.moods import MOODS

DEFAULTS = GenerateParams()


class GenerateForm(EncodedForm):
    """Words that music is made of, and what is certain of it. What is left open is filled by the genre and the seed,
    and said in the job's `facts`."""

    class Meta:
        """It needs no track."""

        exclude = ("file", "source")

    path = "generations"
    operation = "createGeneration"
    several = True
    example: ClassVar[dict[str, Any]] = {"prompt": "a dark trap beat at 140", "duration": 20, "stems": True}

    prompt = fields.String(
        load_default=DEFAULTS.prompt,
        validate=validate.Length(max=MOST_PROMPT),
        metadata={
            "description": "words, in English or German; genre, tempo, key, mood and length are read from them unless "
            "fields say them",
            "example": "a dark trap beat at 140",
        },
    )
    genre = fields.String(
        load_default=DEFAULTS.genre,
        metadata={"enum": ["", *genre_names()], "description": "empty: as the prompt says, else pop"},
    )
    bpm = fields.Float(
        load_default=DEFAULTS.bpm,
        allow_none=True,
        metadata={
            "description": "beats a minute; empty: as the prompt says, else within the genre's range",
            "minimum": MIN_BPM,
            "maximum": MAX_BPM,
        },
    )
    key = fields.String(
        load_default=DEFAULTS.key,
        validate=validate.Length(max=40),
        metadata={"description": "a tonic and a mode; empty: one that suits genre and mood", "example": "C minor"},
    )
    mood = fields.String(
        load_default=DEFAULTS.mood,
        metadata={"enum": ["", *MOODS], "description": "empty: as the prompt says, else none"},
    )
    duration = fields.Float(
        load_default=DEFAULTS.duration,
        allow_none=True,
        metadata={
            "description": f"seconds, exact to the sample; empty: as the prompt says, else {DEFAULT_SECONDS:g}",
            "minimum": MIN_SECONDS,
            "maximum": MAX_SECONDS,
        },
    )
    seed = fields.Integer(
        load_default=DEFAULTS.seed,
        metadata={
            "description": "the same request with the same seed makes the same piece",
            "minimum": 0,
            "maximum": MAX_SEED,
        },
    )
    stems = fields.Boolean(
        load_default=DEFAULTS.stems,
        metadata={"description": "also files of `drums`, `bass`, `other` and `vocals` (a lead), which sum to the mix"},
    )
    form = NamesField(
        load_default=DEFAULTS.form,
        metadata={
            "type": "string",
            "default": "",
            "description": f"sections, separated by commas, of {', '.join(SECTIONS)}; empty: the genre's, as far as "
            "there is time",
            "example": "intro,verse,chorus,outro",
            "pattern": names_pattern(SECTIONS),
        },
    )
    variation_of = JsonNested(
        SourceForm,
        load_default=None,
        metadata={
            "description": "an earlier generation, as `job_id`, whose harmony, tempo, form and parts stay as they are, "
            "except for `change` and for what other fields say"
        },
    )
    change = fields.String(
        load_default=DEFAULTS.change,
        metadata={
            "enum": ["", *CHANGES],
            "description": "the stem or the section that a variation has anew, by `seed`",
        },
    )
    model = fields.String(
        load_default=DEFAULTS.model,
        validate=validate.Length(max=100),
        metadata={
            "description": "what makes it; empty: `sketch`. The `generators` of `GET /v1/models` are the others. Where "
            "one fails or its weights can't be had, `sketch` takes its place, with the warning `model_replaced`",
            "example": "musicgen-small",
        },
    )
    melody = JsonNested(
        SourceForm,
        load_default=None,
        metadata={"description": "a track whose melody is followed, by a model that can: `musicgen-melody`"},
    )
    candidates = fields.Integer(
        load_default=DEFAULTS.candidates,
        metadata={
            "description": "how many pieces to make; the best comes first, the others' files end with `-2` and so on",
            "minimum": 1,
            "maximum": MOST_CANDIDATES,
        },
    )
    name = fields.String(
        load_default=DEFAULTS.name,
        validate=validate.Length(max=MOST_NAME),
        metadata={"description": "of the piece and its files; empty: the prompt's words"},
    )

    @classmethod
    def sources(cls, form: dict[str, Any]) -> Sequence[tuple[str, SourceFields]]:
        """See `KindForm`: the score of the original, and the track with the melody, where they are named."""
        original, melody = form["variation_of"], form["melody"]
        found: list[tuple[str, SourceFields]] = []
        if original is not None:
            found.append((ORIGINAL, {"output": SCORE, **original} if "job_id" in original else original))
        if melody is not None:
            found.append((MELODY, melody))
        return found
