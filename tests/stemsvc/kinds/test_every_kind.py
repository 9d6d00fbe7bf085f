"""What every installed kind promises by being one. The registry names them, so a new kind is tested as it is."""

from __future__ import annotations

import json
import math
import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import pytest
from marshmallow import fields

from api.schemas.forms import EncodedForm, KindForm
from stemsvc.errors import BadInputs, UsageError
from stemsvc.jobs.encoding import FORMATS, Encoding
from stemsvc.jobs.record import Job, JobState, new_job_id
from stemsvc.jobs.spec import Envelope, Input, JobSpec
from stemsvc.jobstore.rows import to_job, to_row
from stemsvc.kinds.base import Role
from stemsvc.kinds.cache_key import cache_key
from stemsvc.kinds.registry import AnyKind, broken, installed
from stemsvc.kinds.specify import specify
from stemsvc.models.catalog import load_catalog
from tests.oddness import other_value

ROOT = Path(__file__).parents[3]
CATALOG = load_catalog()
USUAL = Encoding()
DESCRIPTION = json.loads((ROOT / "api" / "openapi.json").read_text())
TEXTS = [path.read_text() for path in (ROOT / "docs").glob("*.md")]
# Params that change no file by themselves: why a model was chosen and what it is called, and what works with another
# param alone.
UNHEARD = {
    "separate": {"fallback", "quality"},
    "generate": {"name"},
    "master": {"silence_db"},  # where silence stays
    "transcribe": {"strength"},  # where nothing is quantised
}
# Params whose other values need more than this test has: an original to change, a licence that was accepted.
UNTRIED = {"generate": {"change": "faster", "model": "musicgen-small"}}
# Params that no form has: the kind itself writes `chosen` and `fallback` down; `trim_start` comes with every part of a
# track, and separations alone have a field for it.
FORMLESS = {"separate": {"chosen", "fallback"}, "analyze": {"trim_start"}}


def roles_of(kind: AnyKind) -> list[str]:
    """The fewest inputs that its jobs can have."""
    return [role.name for role in kind.roles for _ in range(role.least)]


def form_of(kind: AnyKind) -> type[KindForm]:
    found: type[KindForm] = pkgutil.resolve_name(kind.form)
    return found


def usual(kind: AnyKind) -> dict[str, Any]:
    """The params of a job for which nothing was asked, with an entry for each input of a role that has entries."""
    entries: dict[str, Any] = {role.entries: [{}] * max(1, role.least) for role in kind.roles if role.entries}
    return kind.stored(kind.check(kind.read(entries), roles_of(kind), CATALOG))


def own_fields(kind: AnyKind) -> dict[str, fields.Field[Any]]:
    """The fields of its form that are its params: neither envelope nor encoding nor inputs."""
    form = form_of(kind)()
    common = {*KindForm().fields, *EncodedForm().fields, *vars(Encoding())}
    tracks = {role.entries or role.name for role in kind.roles}
    return {name: field for name, field in form.fields.items() if name not in common | tracks and name in usual(kind)}


def variations(kind: AnyKind) -> Iterator[tuple[str, dict[str, Any]]]:
    """Params that differ from the usual ones in one field, which the kind takes."""
    base = usual(kind)
    for name, field in own_fields(kind).items():
        for value in other_value(field, base[name]):
            try:
                asked = kind.choose(kind.read({**base, name: value}), CATALOG, "cpu")
                yield name, kind.stored(kind.check(asked, roles_of(kind), CATALOG))
                break
            except UsageError:
                continue


def key_of(kind: AnyKind, params: dict[str, Any], encoding: Encoding = USUAL) -> str:
    return cache_key(kind, kind.read(params), encoding, ["a" * 64], "cpu", ["b" * 64])


every_kind = pytest.mark.parametrize("kind", installed().values(), ids=list(installed()))


def test_every_registered_kind_can_be_loaded() -> None:
    assert broken() == []
    assert {"separate", "analyze", "mix", "master", "transcribe", "export", "generate"} <= set(installed())


@every_kind
def test_default_params_are_valid_and_checked_params_stay(kind: AnyKind) -> None:
    stored = usual(kind)

    assert kind.stored(kind.check(kind.read(stored), roles_of(kind), CATALOG)) == stored
    assert json.loads(json.dumps(stored)) == stored


@every_kind
def test_params_round_trip_through_a_row_which_keeps_unknown_keys(kind: AnyKind) -> None:
    roles = roles_of(kind)
    spec = specify(JobSpec(kind.name, usual(kind)), roles, CATALOG)
    spec = replace(spec, params={**spec.params, "tomorrow": [2]}, more={**spec.more, "later": 3})
    inputs = tuple(Input(f"{number}.wav", f"k{number}", 1, role) for number, role in enumerate(roles))
    job = Job(new_job_id(), JobState.QUEUED, spec, "pool", inputs)

    found = to_job(json.loads(json.dumps(to_row(job))))
    assert found == job
    assert (found.params["tomorrow"], found.spec.more["later"]) == ([2], 3)
    assert kind.stored(kind.read(found.params)) == usual(kind)


@every_kind
def test_a_role_s_bounds_are_held(kind: AnyKind) -> None:
    roles = roles_of(kind)
    first: Role = kind.roles[0]
    for wrong in ([*roles, "nonesuch"], [*roles, *[first.name] * (first.most - first.least + 1)]):
        with pytest.raises(BadInputs):
            specify(JobSpec(kind.name, usual(kind)), wrong, CATALOG)


@every_kind
def test_the_predicted_cost_is_finite_and_grows_with_the_track(kind: AnyKind) -> None:
    base = usual(kind)
    for name, params in [("", base), *variations(kind)]:
        read = kind.read(params)
        costs = [kind.cost(read, kind.part(read, seconds) or 0.0, CATALOG) for seconds in (600.0, 3600.0, 28_800.0)]
        assert all(math.isfinite(cost) and cost > 0 for cost in costs), (name, costs)
        assert costs == sorted(costs), (name, costs)
        if not kind.sourceless and params.get("end") is None:  # the length of what is made from nothing is a param
            assert costs[0] < costs[1] < costs[2], (name, costs)
        assert math.isfinite(kind.makes(read, Encoding(), 60.0)), name


@every_kind
def test_the_cache_key_changes_with_each_param_that_matters(kind: AnyKind) -> None:
    base = usual(kind)
    keys, tried = {key_of(kind, base)}, set()
    for name, params in variations(kind):
        key = key_of(kind, params)
        tried.add(name)
        if name in UNHEARD.get(kind.name, set()):
            assert key in keys, name
        else:
            assert key not in keys, name
            keys.add(key)

    assert key_of(kind, {**base, "tomorrow": 1}) in keys
    others = UNTRIED.get(kind.name, {})
    assert tried | set(others) == set(own_fields(kind)), "a param of which no other value is known here"
    assert all(key_of(kind, {**base, name: value}) not in keys for name, value in others.items())


def test_params_that_matter_with_another_one_alone_are_heard_beside_it() -> None:
    for name, beside, param, value in (
        ("master", {"silence": "trim"}, "silence_db", -33.0),
        ("transcribe", {"quantise": "1/8"}, "strength", 0.25),
    ):
        kind = installed()[name]
        base = {**usual(kind), **beside}
        assert key_of(kind, base) != key_of(kind, {**base, param: value})


@every_kind
def test_the_cache_key_does_not_know_the_envelope(kind: AnyKind) -> None:
    assert not set(vars(Envelope())) & set(usual(kind))
    base = key_of(kind, usual(kind))

    assert key_of(kind, usual(kind), Encoding(filename_template="{stem}")) == base
    other = Encoding("wav", "24")
    assert (key_of(kind, usual(kind), other) != base) == kind.encodes


@every_kind
def test_what_a_kind_names_is_there(kind: AnyKind) -> None:
    assert callable(pkgutil.resolve_name(kind.work))
    assert kind.lacking() == []
    needs = kind.needs(kind.read(usual(kind)), CATALOG)
    assert (needs.model is not None) == kind.modelled


@every_kind
def test_form_and_description_have_the_same_fields(kind: AnyKind) -> None:
    form = form_of(kind)
    described = f"{form.__name__.removesuffix('Form')}"
    schemas = DESCRIPTION["components"]["schemas"]
    body = schemas[f"{described}Request"]["properties"]
    expected = {field.data_key or name for name, field in form().fields.items()}
    assert set(body) == expected - {"file"}
    assert (form.__name__ in schemas) != kind.sourceless  # what needs no track has no multipart form
    if not kind.sourceless:
        assert expected - {"source"} <= set(schemas[form.__name__]["properties"])
    assert f"/v1/{form.path}" in DESCRIPTION["paths"]
    assert DESCRIPTION["paths"][f"/v1/{form.path}"]["post"]["operationId"] == form.operation
    encoding = schemas[f"{described}Request"]["properties"].get("format")
    assert (encoding is not None) == kind.encodes
    assert encoding is None or [each for each in encoding["enum"] if each] == list(FORMATS)


@every_kind
def test_every_param_has_a_field_of_the_form(kind: AnyKind) -> None:
    asked = {field.data_key or name for name, field in form_of(kind)().fields.items()}
    assert set(usual(kind)) - asked <= FORMLESS.get(kind.name, set())


@every_kind
def test_it_has_a_page_and_a_command(kind: AnyKind) -> None:
    (point,) = [each for each in entry_points(group="stemsvc.commands") if each.name == kind.name]
    command = point.load()
    assert isinstance(command, click.Command)
    assert command.help
    assert any(f"stemsvc {kind.name} " in text for text in TEXTS)
    assert any(f"{form_of(kind).path}" in text for text in TEXTS)
