"""The catalog as answers show it."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.answers import AnswerSchema


class PublishedSchema(AnswerSchema):
    """How good a model is, as its makers say."""

    db = fields.Float(metadata={"description": "signal-to-distortion ratio in dB, the mean of the stems'"})
    data = fields.String(metadata={"description": "the songs it was measured on"})
    source = fields.String(metadata={"description": "the address where it stands"})


class ModelSchema(AnswerSchema):
    """A model that a job can name."""

    name = fields.String()
    summary = fields.String()
    family = fields.String(metadata={"description": "the kind of its networks; `chain`: it is made of other models"})
    stems = fields.List(fields.String())
    sample_rate = fields.Integer()
    segment_seconds = fields.Float()
    licence = fields.String()
    licence_doubt = fields.String(allow_none=True, metadata={"description": "what is unsettled about the licence"})
    deprecated = fields.String(allow_none=True, metadata={"description": "why it should not be used any more"})
    fallback = fields.String(
        allow_none=True, metadata={"description": "the model to use when this one is not available"}
    )
    default = fields.Boolean()
    devices = fields.List(
        fields.String(), metadata={"description": "devices for which a pool of this model is configured"}
    )
    sdr = fields.Nested(
        PublishedSchema, allow_none=True, metadata={"description": "its published quality; null: none that we can cite"}
    )
    lacking = fields.String(
        allow_none=True, metadata={"description": "why it is not taken for jobs that name no model; null: it is"}
    )


class PresetSchema(AnswerSchema):
    """A name for what a person wants, which a job asks for as its `quality`."""

    name = fields.String()
    summary = fields.String()
    model = fields.String(allow_none=True, metadata={"description": "the model it is now; null: none can do it here"})
    stems = fields.List(
        fields.String(), metadata={"description": "what a job gets that names no stems; empty where there is no model"}
    )
    why = fields.String(metadata={"description": "why it is this model; or what the operator has to add"})


class GeneratorSchema(AnswerSchema):
    """A network that makes music from words, which a generation names as its `model`."""

    name = fields.String()
    summary = fields.String()
    family = fields.String(metadata={"description": "the kind of its network"})
    hub = fields.String(allow_none=True, metadata={"description": "the repository that publishes it"})
    parameters = fields.Integer(allow_none=True, metadata={"description": "of its decoder"})
    channels = fields.Integer(metadata={"description": "1: mono, 2: stereo"})
    window_seconds = fields.Float(metadata={"description": "the most that it makes at once; longer pieces go on"})
    follows_melody = fields.Boolean()
    licence = fields.String(metadata={"description": "of its weights"})
    licence_doubt = fields.String(allow_none=True, metadata={"description": "what is unsettled about the licence"})
    forbids_commerce = fields.Boolean(metadata={"description": "whether the licence forbids commercial use"})
    accepted = fields.Boolean(metadata={"description": "whether whoever runs the service accepts that"})
    pinned = fields.Boolean(metadata={"description": "whether its files' hashes are known; else it makes nothing"})
    deprecated = fields.String(allow_none=True, metadata={"description": "why it should not be used any more"})


class ModelsSchema(AnswerSchema):
    """The catalog."""

    models = fields.List(fields.Nested(ModelSchema))
    presets = fields.List(fields.Nested(PresetSchema))
    generators = fields.List(fields.Nested(GeneratorSchema), metadata={"description": "beside `sketch`"})
