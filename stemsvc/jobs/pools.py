"""Worker pools: the kinds and models that a pool runs, its device, its limits, and the queues that feed it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from stemsvc.errors import BadPools
from stemsvc.jobs.record import Priority
from stemsvc.models.set_names import WITH

DEVICES = ("cpu", "cuda", "mps")
ANY = "*"
FETCH = "fetch"  # the pool that downloads tracks from addresses, so that no device waits for a network
INPUTS = "inputs"  # where jobs of a workflow are until they have their inputs: nothing is published from there
WEBHOOKS = "webhooks"  # a queue of release 0.1, which fetchers still empty, for one release
FILES = (".yaml", ".yml")
DEVICE = re.compile(r"cpu|mps|cuda(:\d{1,2})?")
_SIZE = re.compile(r"(\d+)([MG])i?B?", re.IGNORECASE)
_PRECISIONS = "auto|fp32|mixed|fast"  # the same as in `stemsvc.kinds.separate.options`: a test compares them


def megabytes(text: object) -> object:
    """`8G` or `900M` as a number of MB. Any other value is returned unchanged, for the caller to refuse."""
    size = _SIZE.fullmatch(text) if isinstance(text, str) else None
    return int(size[1]) * (1024 if size[2].upper() == "G" else 1) if size else text


class Pool(BaseModel):
    """The kinds and models that a group of workers runs on one device. Its name is also its queue's; see `queue_of`.

    A field that is None takes the value of the worker's own settings, or sets no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./:-]{0,99}$")
    kinds: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = (ANY,)
    models: Annotated[tuple[str, ...], Field(strict=False)] = (ANY,)
    device: str = Field(pattern=f"^({DEVICE.pattern})$")
    precision: str | None = Field(None, pattern=f"^({_PRECISIONS})$", description="of jobs that do not choose one")
    concurrency: int | None = Field(None, ge=1, description="pool processes of each of its workers")
    memory_mb: Annotated[int | None, BeforeValidator(megabytes)] = Field(
        None, alias="memory", ge=1, description="memory that one of its jobs may use"
    )
    time_limit: float | None = Field(None, gt=0, strict=False, description="longest computation of a job, in seconds")
    priority: int = Field(0, description="of the pools that can serve a job, the one with the most comes first")

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        ours = (FETCH, INPUTS, WEBHOOKS, "stemsvc.dead")
        if name in ours or name.endswith(tuple(f".{each.word}" for each in Priority)):
            raise ValueError("is the name of another queue")
        return name

    @field_validator("models")
    @classmethod
    def _named(cls, models: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not models and info.data.get("kinds", (ANY,)) == (ANY,):
            raise ValueError("name models, or kinds that need no model")
        return models

    @property
    def kind(self) -> str:
        """The kind of its device: `cpu`, `cuda` or `mps`."""
        return self.device.partition(":")[0]

    def serves(self, kind: str, model: str | None) -> bool:
        """Whether it runs jobs of that kind, and that model where the kind needs one; of a set the first one counts."""
        first = None if model is None else model.partition(WITH)[0]
        return (self.kinds == (ANY,) or kind in self.kinds) and (first is None or first in self.models)


def single(model: str, device: str, memory_mb: int | None = None) -> Pool:
    """The pool of one model on one device, under its standard name `separate.<model>.<device>`."""
    return Pool(
        name=f"separate.{model}.{device}", kinds=("separate",), models=(model,), device=device, memory=memory_mb
    )


def single_kind(kind: str, device: str, memory_mb: int | None = None) -> Pool:
    """The pool of one kind that needs no model, on one device, under its standard name `<kind>.<device>`."""
    return Pool(name=f"{kind}.{device}", kinds=(kind,), models=(), device=device, memory=memory_mb)


def queue_of(pool: str, priority: Priority = Priority.NORMAL) -> str:
    """The name of the queue where a pool's jobs of that priority wait."""
    return pool if priority is Priority.NORMAL else f"{pool}.{priority.word}"


def queues_of(pools: Iterable[str]) -> list[str]:
    """The names of all queues of these pools; each pool's from the highest priority down."""
    return [queue_of(pool, priority) for pool in pools for priority in Priority]


def find_pool(pools: Iterable[Pool], name: str, kinds: Sequence[str] = ()) -> Pool | None:
    """The pool of that name: a configured one, or the one that a standard name describes; None for any other name.

    `kinds` are the kinds that need no model.
    """
    for pool in pools:
        if pool.name == name:
            return pool
    head, _, rest = name.partition(".")
    model, _, device = rest.rpartition(".")
    if head == "separate" and model and DEVICE.fullmatch(device):
        return single(model, device)
    return single_kind(head, rest) if head in kinds and DEVICE.fullmatch(rest) else None


def parse_pools(text: str, models: Sequence[str], kinds: Sequence[str] = ()) -> list[Pool]:
    """Read pools: a YAML file's path, or `model:device,...` or `model:device:memory,...` (as 8G or 900M).

    An item may name one of `kinds` (the kinds that need no model) instead of a model. `*` stands for every model of the
    catalog and every such kind. Raises `UsageError` `bad_pools`.
    """
    if text.endswith(FILES):
        return _read_file(Path(text), models)
    pools: dict[str, Pool] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        for pool in _parse_item(item, models, kinds):
            pools[pool.name] = pool
    return list(pools.values())


def _parse_item(item: str, models: Sequence[str], kinds: Sequence[str]) -> list[Pool]:
    match = re.fullmatch(rf"([^:]+):({DEVICE.pattern})(?::([^:]*))?", item)
    memory = megabytes(match[4]) if match and match[4] is not None else None
    known = match and (match[1] == ANY or match[1] in models or match[1] in kinds)
    if not match or not known or not (memory is None or isinstance(memory, int)):
        devices = "cpu, cuda, cuda:0 or mps"
        raise BadPools(f"{item!r} is not model:device or model:device:8G with a model of the catalog and {devices}")
    name, device = match[1], match[2]
    every = name == ANY
    return [
        *(single(model, device, memory) for model in models if every or model == name),
        *(single_kind(kind, device, memory) for kind in kinds if every or (kind == name and name not in models)),
    ]


def _read_file(path: Path, models: Sequence[str]) -> list[Pool]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadPools(f"{path}: {' '.join(str(error).split())}") from error
    entries = content.get("pools") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries or set(content) != {"pools"}:
        raise BadPools(f"{path}: a list under the one key `pools` is expected")
    pools: dict[str, Pool] = {}
    for number, entry in enumerate(entries, 1):
        pool = _read_entry(f"{path}: pool {number}", entry, models)
        if pool.name in pools:
            raise BadPools(f"{path}: pool {number}: another pool has the name {pool.name}")
        pools[pool.name] = pool
    return list(pools.values())


def _read_entry(where: str, entry: Any, models: Sequence[str]) -> Pool:
    try:
        pool = Pool.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadPools(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    every = pool.models == (ANY,)
    if unknown := [] if every else [model for model in pool.models if model not in models]:
        raise BadPools(f"{where}: the catalog has no model {unknown[0]!r}")
    return pool.model_copy(update={"models": tuple(models)}) if every else pool
