"""The steps of a workflow, read from what a client sent: which there are, and which need which.

A step does one kind of work. Its inputs are the workflow's sources, or outputs of other steps. With `for_each` it is
done once for each source, or once for each audio file that another step makes. `stemsvc.workflows.plan` says which jobs
come of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from stemsvc.errors import BadWorkflow, UsageError
from stemsvc.kinds import registry
from stemsvc.kinds.registry import AnyKind

MOST_STEPS = 100
SOURCE = "source"  # what a step calls the workflow's source
SOURCES = "sources"  # what `for_each` goes over
EACH, OTHERS = "each", "others"  # of the outputs over which a step goes: this turn's one, and all but that
RESERVED = (SOURCE, SOURCES, EACH, OTHERS)
STEP_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_REF = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,63})(?:\.(.{1,200}))?", re.DOTALL)
_KEYS = ("id", "do", "with", "inputs", "when", "for_each", "on_failure")


@dataclass(frozen=True)
class Ref:
    """What an input is: an output of a step, or the workflow's source where `step` is None.

    Without `output` it is the step's only audio file, or all of them where the role takes several inputs. `pick` is
    `each` or `others` of a step that is done for each output of `step`. `at` is the path of the text that says so.
    """

    step: str | None
    output: str | None = None
    pick: str = ""
    at: str = field(default="", compare=False)


@dataclass(frozen=True)
class Step:
    """One step as it was sent. `tolerated`: its failure does not count. `at` is its path in the request.

    `for_each`: it is done once for each source; `over`: once for each audio file that the step of that id makes. Where
    a role's inputs are entries of a param (`Role.entries`), `params` has those entries without their sources.
    """

    id: str
    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, tuple[Ref, ...]] = field(default_factory=dict)  # by role
    for_each: bool = False
    tolerated: bool = False
    over: str = ""
    at: str = field(default="", compare=False)

    @property
    def needs(self) -> set[str]:
        """The steps that must end before it."""
        named = {ref.step for refs in self.inputs.values() for ref in refs if ref.step is not None}
        return named | ({self.over} if self.over else set())


def read_steps(given: object) -> list[Step]:
    """The steps of a request, in an order in which each comes after those that it needs.

    Raises `UsageError` `bad_workflow`, whose detail begins with the path of what is wrong.
    """
    if not isinstance(given, list) or not given:
        raise BadWorkflow("steps: name at least one step")
    if len(given) > MOST_STEPS:
        raise BadWorkflow(f"steps: {len(given)} are more than {MOST_STEPS}")
    steps: dict[str, Step] = {}
    skipped: set[str] = set()
    for number, each in enumerate(given):
        where = f"steps[{number}]"
        step, done = _step(each, where)
        if step.id in steps or step.id in skipped:
            raise BadWorkflow(f"{where}.id: {step.id!r} is the id of an earlier step")
        if done:
            steps[step.id] = step
        else:
            skipped.add(step.id)
    for step in steps.values():
        _check_refs(step, steps, skipped)
    found = _sorted(steps)
    for step in found:
        if step.over and steps[step.over].over:
            raise BadWorkflow(f"{step.at}.for_each: {step.over!r} is done for each output of a step itself")
    return found


def _step(given: object, where: str) -> tuple[Step, bool]:
    """A step, and whether it is done at all: `when` may be false."""
    if not isinstance(given, dict):
        raise BadWorkflow(f"{where}: it must be an object")
    if unknown := [key for key in given if key not in _KEYS]:
        raise BadWorkflow(f"{where}.{unknown[0]}: a step has {', '.join(_KEYS)}")
    step_id = given.get("id")
    if not isinstance(step_id, str) or not STEP_ID.fullmatch(step_id) or step_id in RESERVED:
        reserved = ", ".join(RESERVED)
        raise BadWorkflow(
            f"{where}.id: it must be letters, digits, _ and -, begin with a letter, and be none of {reserved}"
        )
    kind = _kind(given.get("do"), f"{where}.do")
    params = given.get("with", {})
    if not isinstance(params, dict):
        raise BadWorkflow(f"{where}.with: it must be an object")
    when = given.get("when", True)
    if not isinstance(when, bool):
        raise BadWorkflow(f"{where}.when: it must be true or false")
    if given.get("on_failure", "stop") not in ("stop", "continue"):
        raise BadWorkflow(f"{where}.on_failure: it must be 'stop' or 'continue'")
    over = _over(given.get("for_each"), f"{where}.for_each")
    params, entries = _entries(params, kind, f"{where}.with", over)
    inputs = _inputs(given.get("inputs"), kind, entries, f"{where}.inputs", over)
    each, tolerated = given.get("for_each") == SOURCES, given.get("on_failure") == "continue"
    return Step(step_id, kind.name, params, inputs, each, tolerated, over, where), when


def _kind(name: object, where: str) -> AnyKind:
    try:
        return registry.get(name if isinstance(name, str) else str(name))
    except UsageError as error:
        raise BadWorkflow(f"{where}: {error.detail}") from error


def _over(given: object, where: str) -> str:
    """The step over whose outputs a step is done; empty for one that is done once, or once for each source."""
    if given in (None, SOURCES):
        return ""
    if not isinstance(given, str) or not STEP_ID.fullmatch(given) or given in RESERVED:
        raise BadWorkflow(f"{where}: it must be {SOURCES!r} or a step's id")
    return given


def _entries(
    params: Mapping[str, Any], kind: AnyKind, where: str, over: str
) -> tuple[dict[str, Any], dict[str, tuple[Ref, ...]]]:
    """The params without the sources of their entries, and those sources by role."""
    kept, found = dict(params), {}
    for role in kind.roles:
        if not role.entries or role.entries not in params:
            continue
        given, at = params[role.entries], f"{where}.{role.entries}"
        if not isinstance(given, list):
            raise BadWorkflow(f"{at}: it must be a list")
        refs = []
        for number, entry in enumerate(given):
            if not isinstance(entry, dict):
                raise BadWorkflow(f"{at}[{number}]: it must be an object")
            refs.append(_ref(entry.get(SOURCE), f"{at}[{number}].{SOURCE}", over))
        found[role.name] = tuple(refs)
        kept[role.entries] = [{name: value for name, value in entry.items() if name != SOURCE} for entry in given]
    return kept, found


def _inputs(
    given: object, kind: AnyKind, entries: Mapping[str, tuple[Ref, ...]], where: str, over: str
) -> dict[str, tuple[Ref, ...]]:
    if given is None:  # the source, where nothing else is said and the kind can't do without
        given = {kind.roles[0].name: SOURCE} if not entries and kind.roles and kind.roles[0].least else {}
    if not isinstance(given, dict):
        raise BadWorkflow(f"{where}: it must be an object of roles")
    known = {role.name: role for role in kind.roles}
    found = dict(entries)
    for role, refs in given.items():
        if role not in known:
            raise BadWorkflow(f"{where}.{role}: {kind.name} has the roles {', '.join(known) or 'none'}")
        if role in entries:
            raise BadWorkflow(f"{where}.{role}: the sources of `with.{known[role].entries}` are these inputs already")
        several = refs if isinstance(refs, list) else [refs]
        at = [f"{where}.{role}" + (f"[{number}]" if isinstance(refs, list) else "") for number in range(len(several))]
        found[role] = tuple(_ref(ref, place, over) for ref, place in zip(several, at, strict=True))
    return found


def _ref(given: object, where: str, over: str) -> Ref:
    match = _REF.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise BadWorkflow(f"{where}: it must be {SOURCE!r}, a step's id, or 'step.output'")
    name, output = match.groups()
    if name not in RESERVED:
        return Ref(name, output, at=where)
    if output is not None:
        raise BadWorkflow(f"{where}: a source has no outputs" if name == SOURCE else f"{where}: {name} is an output")
    if name == SOURCE:
        return Ref(None, at=where)
    if name == SOURCES:
        raise BadWorkflow(f"{where}: it must be {SOURCE!r}: a step that is done once gets all of them")
    if not over:
        raise BadWorkflow(f"{where}: only a step with a `for_each` that names a step has {name!r}")
    return Ref(over, pick=name, at=where)


def _check_refs(step: Step, steps: Mapping[str, Step], skipped: set[str]) -> None:
    refs = [ref for refs in step.inputs.values() for ref in refs if ref.step is not None and not ref.pick]
    if step.over:
        refs.append(Ref(step.over, at=f"{step.at}.for_each"))
    for ref in refs:
        if ref.step in skipped:
            raise BadWorkflow(f"{ref.at}: the step {ref.step!r} is left out by its `when`")
        if ref.step not in steps:
            raise BadWorkflow(f"{ref.at}: {ref.step!r} is not one of {', '.join(steps)}")


def _sorted(steps: Mapping[str, Step]) -> list[Step]:
    try:
        order = list(TopologicalSorter({step.id: sorted(step.needs) for step in steps.values()}).static_order())
    except CycleError as error:
        raise BadWorkflow(f"steps: {' -> '.join(reversed(error.args[1]))} is a circle") from error
    return [steps[each] for each in order]
