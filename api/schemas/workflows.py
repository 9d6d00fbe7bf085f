"""Workflows: what clients send and get."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates, validates_schema

from api.schemas.fields import MOST_METADATA, JsonList, JsonNested, JsonObject, TypedSchema
from api.schemas.forms import SourceForm
from api.schemas.jobs import JobErrorSchema, JobSummarySchema, StemSchema
from stemsvc.accounts.webhooks import WorkflowEventType
from stemsvc.jobs.pools import DEVICES
from stemsvc.jobs.record import JobState, Priority
from stemsvc.workflows.record import WorkflowState

MOST_SOURCES = 1000
STEP_STATES = [*map(str, JobState), "waiting_for_inputs", "left_out"]


class WorkflowForm(TypedSchema):
    """A graph of jobs, in which outputs of steps are inputs of others.

    In a multipart form, objects and lists of objects are JSON texts, and files are in parts that the sources name.
    """

    cleaned = ("name",)
    several = True  # files may be in parts of any name

    name = fields.String(load_default="", validate=validate.Length(max=512))
    source = JsonNested(SourceForm, load_default=None)
    sources = JsonList(
        fields.Nested(SourceForm),
        load_default=None,
        validate=validate.Length(1, MOST_SOURCES),
        metadata={"description": f"several sources, at most {MOST_SOURCES}, in place of `source`"},
    )
    recipe = fields.String(load_default="", metadata={"description": "a recipe's name, in place of `steps`"})
    params = JsonObject(
        keys=fields.String(), load_default=dict, metadata={"description": "the recipe's params; see `GET /v1/recipes`"}
    )
    # each step is read by itself, so that an error names its place
    steps = JsonList(
        fields.Dict(keys=fields.String()),
        load_default=None,
        metadata={
            "description": "each has an `id`; `do`, a kind of job; `with`, its params; `inputs`, by role: `source`, "
            "a step's id, or `step.output`; `for_each: sources` does it once for each source, `for_each: <step>` once "
            "for each audio file that step makes, which is `each` then, and the rest `others`; `on_failure: continue` "
            "lets the others count; `when: false` leaves it out",
            "example": [{"id": "split", "do": "separate", "with": {"stems": ["vocals"]}}],
        },
    )
    outputs = fields.List(
        fields.String(),
        load_default=list,
        metadata={"description": "which outputs you want, as `step` or `step.output`; none: those of the last steps"},
    )
    device = fields.String(load_default="auto", validate=validate.OneOf(("auto", *DEVICES)))
    priority = fields.String(
        load_default="",
        validate=validate.OneOf([each.word for each in Priority]),
        metadata={"description": "of all its jobs; see `POST /v1/jobs`"},
    )
    cache = fields.Boolean(load_default=True)
    webhook_url = fields.String(load_default="")
    webhook_events = fields.List(
        fields.String(validate=validate.OneOf([str(each) for each in WorkflowEventType])),
        load_default=list,
        metadata={"description": "events that a webhook delivers; none: the workflow's end"},
    )
    metadata = JsonObject(
        keys=fields.String(),
        load_default=dict,
        metadata={"description": f"your own JSON object, of at most {MOST_METADATA} bytes"},
    )

    @validates_schema
    def _sources(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data.get("source") and data.get("sources"):
            raise ValidationError("name either source or sources", "sources")

    @validates_schema
    def _steps(self, data: dict[str, Any], **kwargs: Any) -> None:
        if bool(data.get("recipe")) == (data.get("steps") is not None):
            raise ValidationError("name either steps or a recipe", "steps")
        if data.get("params") and not data.get("recipe"):
            raise ValidationError("params are those of a recipe", "params")

    @validates("metadata")
    def _short(self, given: dict[str, Any], **kwargs: Any) -> None:
        from stemsvc.jobstore.plain_text import plain_json

        if len(plain_json(given).encode()) > MOST_METADATA:
            raise ValidationError(f"it has more than {MOST_METADATA} bytes")


class WorkflowQuery(Schema):
    """Which workflows to list."""

    states = fields.List(
        fields.Enum(WorkflowState, by_value=True),
        load_default=(),
        data_key="state",
        metadata={"description": "one or more states, each in its own parameter"},
    )
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the previous page"})


class WorkflowProgressSchema(Schema):
    """How far a workflow has come."""

    fraction = fields.Float(metadata={"description": "each job weighs what it is predicted to cost; 0 to 1"})
    jobs = fields.Integer(metadata={"description": "how many jobs it has"})
    ended = fields.Integer(metadata={"description": "how many of them have ended"})
    eta_seconds = fields.Float(
        allow_none=True,
        metadata={
            "description": "time until its end, if nothing else came into the queues; null until the progress of one "
            "of its jobs was measured, and after its end"
        },
    )


class StepErrorSchema(JobErrorSchema):
    """Why a workflow failed: the step that failed first."""

    step = fields.String()


class StepJobSchema(JobSummarySchema):
    """A job of a step."""

    step = fields.String(
        metadata={
            "description": "its step; behind it the source's number, or the output's name, where it is one of many"
        }
    )
    facts = fields.Dict(
        keys=fields.String(),
        allow_none=True,
        metadata={"description": "what its work found out, such as tempo and key; null before its end"},
    )


class WorkflowStepSchema(Schema):
    """A step, and its jobs."""

    id = fields.String()
    do = fields.String(metadata={"description": "its kind of job"})
    inputs = fields.Dict(keys=fields.String())
    needs = fields.List(fields.String(), metadata={"description": "the steps that must end before it"})
    state = fields.String(metadata={"enum": STEP_STATES})
    jobs = fields.List(fields.Nested(StepJobSchema))


class WorkflowFileSchema(StemSchema):
    """A file that a workflow made."""

    job_id = fields.String(metadata={"description": "the job that made it"})


class DecisionSchema(Schema):
    """One entry of the decision log: where a job went and why, what came from the cache, what was tried again."""

    step = fields.String()
    at = fields.DateTime()
    from_state = fields.String(data_key="from", allow_none=True)
    to_state = fields.String(data_key="to")
    why = fields.String()
    worker = fields.String(allow_none=True)


class WorkflowUrlsSchema(Schema):
    """Where to ask what of a workflow."""

    self = fields.Url()
    cancel = fields.Url(metadata={"description": "POST"})
    retry = fields.Url(metadata={"description": "POST"})


class WorkflowSummarySchema(Schema):
    """A workflow in a list."""

    id = fields.String()
    name = fields.String()
    recipe = fields.String(allow_none=True)
    state = fields.String(metadata={"enum": [str(state) for state in WorkflowState]})
    progress = fields.Nested(WorkflowProgressSchema)
    created_at = fields.DateTime()
    finished_at = fields.DateTime(allow_none=True)
    error = fields.Nested(StepErrorSchema, allow_none=True)


class WorkflowSchema(WorkflowSummarySchema):
    """A workflow."""

    metadata = fields.Dict(keys=fields.String())
    webhook_url = fields.String(allow_none=True)
    webhook_events = fields.List(fields.String())
    retry_of = fields.String(allow_none=True, metadata={"description": "the workflow that this one tries again"})
    steps = fields.List(fields.Nested(WorkflowStepSchema))
    outputs = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(WorkflowFileSchema),
        metadata={"description": "the files that you want, by `step.output`, as far as they are there"},
    )
    decisions = fields.List(fields.Nested(DecisionSchema))
    urls = fields.Nested(WorkflowUrlsSchema)


class WorkflowPageSchema(Schema):
    """Some workflows, newest first."""

    workflows = fields.List(fields.Nested(WorkflowSummarySchema))
    next_cursor = fields.String(
        allow_none=True, metadata={"description": "cursor of the next page; null on the last page"}
    )


class ParamSchema(Schema):
    """A parameter of a recipe."""

    type = fields.String(metadata={"enum": ["text", "number", "integer", "flag", "choice"]})
    title = fields.String()
    help = fields.String()
    default = fields.Raw(metadata={"description": "what it is where you leave it out"})
    choices = fields.List(fields.String())
    least = fields.Float(allow_none=True)
    most = fields.Float(allow_none=True)


class RecipeSchema(Schema):
    """A named workflow."""

    name = fields.String()
    title = fields.String()
    summary = fields.String()
    several = fields.Boolean(metadata={"description": "whether it takes several sources"})
    params = fields.Dict(keys=fields.String(), values=fields.Nested(ParamSchema))
    steps = fields.List(fields.Dict(keys=fields.String()))
    outputs = fields.List(fields.String())


class RecipesSchema(Schema):
    """The recipes of this service."""

    recipes = fields.List(fields.Nested(RecipeSchema))
