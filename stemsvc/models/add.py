"""Makes a catalog entry of a checkpoint: what it is, what it predicts and what it costs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from stemsvc.errors import BadArguments, BadOutput, WeightsMismatch
from stemsvc.models.catalog import load_catalog
from stemsvc.models.config import hyperparameters, needed
from stemsvc.models.demucs import DEMUCS, cost_of
from stemsvc.models.examine import examine
from stemsvc.models.header import Header, family_of, read_header
from stemsvc.models.onnx_header import read_onnx
from stemsvc.models.pull import OnPull, Puller, silent
from stemsvc.models.source import WeightFile
from stemsvc.models.uvr import MDXNET, parameters_of
from stemsvc.models.vr import VR, sizes_of

_DEMUCS_SEGMENT = {"htdemucs": 10.0, "hdemucs": 40.0, "demucs": 40.0}  # where a checkpoint does not say it
DOUBT = "nobody said under which licence these weights may be used"


def entry_of(
    puller: Puller, source: str, config: Mapping[str, Any] | None, catalog: Path, on_pull: OnPull = silent
) -> dict[str, Any]:
    """The fields of an entry for a checkpoint at a URL or in a file, whose bytes are here and checked afterwards.

    Raises `UsageError` `bad_arguments` where a config is missing or is too much, and what `Puller.ensure` and
    `examine` raise.
    """
    file, place = puller.adopt(_weight_file(source), on_pull)
    pinned = file.model_dump(mode="json", exclude_none=True)
    if file.path is not None:
        pinned["path"] = _as_seen_from(catalog.parent, file.path)
    fields = _of_onnx(place, config) if file.onnx else _of_state(place, config, file.path)
    return {"summary": f"added from {file.filename}", **fields, "files": [pinned]}


def write_entry(catalog: Path, name: str, fields: Mapping[str, Any], section: str = "models") -> None:
    """Add an entry to a section of a catalog file, which is made where there is none. What stands in the file stays.

    Raises `UsageError` `bad_arguments` where the name is taken there, `FatalError` `bad_catalog`, `bad_output`.
    """
    text = catalog.read_text(encoding="utf-8") if catalog.exists() else f"{section}:\n"
    if catalog.exists() and name in ((yaml.safe_load(text) or {}).get(section) or {}):
        raise BadArguments(f"{catalog} already has a model {name}: choose another --name")
    block = yaml.safe_dump(
        {name: dict(fields)}, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
    )
    added = _inserted(text, "".join(f"  {line}" for line in block.splitlines(keepends=True)), section)
    draft = catalog.with_name(f".{catalog.name}.{os.getpid()}.draft")
    try:
        catalog.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(added, encoding="utf-8")
        load_catalog(draft, locked=False)  # what can't be read again is not written
        draft.replace(catalog)
    except OSError as error:
        raise BadOutput(f"{catalog} can't be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _inserted(text: str, block: str, section: str) -> str:
    """The catalog's text with the block at the end of a section, before what else it has."""
    root = yaml.compose(text, yaml.SafeLoader)
    starts = {key.value: key.start_mark.line for key, _ in root.value} if isinstance(root, yaml.MappingNode) else {}
    if section not in starts:
        return f"{text.rstrip()}\n{section}:\n{block}".lstrip()
    later = [line for line in starts.values() if line > starts[section]]
    if not later:
        return f"{text.rstrip()}\n{block}"
    lines, at = text.splitlines(keepends=True), min(later)
    while lines[at - 1].startswith(("#", "\n")):  # what stands above the next section belongs to that
        at -= 1
    return "".join([*lines[:at], block, *lines[at:]])


def name_of(source: str) -> str:
    """A model's name from a file's name."""
    stem = PurePosixPath(source.split("?")[0]).name.rpartition(".")[0]
    return re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_")[:60] or "model"


def _weight_file(source: str) -> WeightFile:
    try:
        if re.match(r"https?://", source):
            return WeightFile(url=source)
        return WeightFile(path=Path(source).absolute())
    except ValueError as error:
        raise BadArguments(f"{source} can't be added: {str(error).splitlines()[2].strip()}") from error


def _as_seen_from(folder: Path, path: Path) -> str:
    """The path from the catalog's folder where it lies in it, so that both can move together."""
    folder = folder.absolute()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _of_onnx(place: Path, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of an MDX-Net, whose graph says the sizes of its spectra."""
    shapes = list(read_onnx(place).inputs.values())
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] not in (None, 4):
        raise WeightsMismatch(f"it takes {shapes}, and an MDX-Net takes one input: [batch, 4, bins, frames]")
    if config is None:
        raise BadArguments(
            f"it is an {MDXNET}: say mdx_n_fft_scale_set, primary_stem and compensate, each by --set NAME=VALUE, or "
            "name a file that has them, or UVR's model_data.json, with --config"
        )
    try:
        said = parameters_of(place, config)
    except ValueError as error:
        raise BadArguments(f"the config does not describe an {MDXNET}: {error}") from error
    bins, frames = shapes[0][2:]
    if bins is not None:
        said.setdefault("mdx_dim_f_set", bins)
    if frames is not None and frames & (frames - 1) == 0:
        said.setdefault("mdx_dim_t_set", frames.bit_length() - 1)
    return _described(MDXNET, place, said)


def _of_state(place: Path, config: Mapping[str, Any] | None, published: Path | None) -> dict[str, Any]:
    """The fields of a network whose state lies at `place`; `published` is what it was made from, where that is here."""
    header = read_header(place)
    if "klass" in header.metadata:
        if config is not None:
            raise BadArguments("a checkpoint of demucs says itself what it is: leave --config out")
        return _of_demucs(header)
    family = family_of(header.shapes)
    if config is None:
        asked = (
            "say vr_model_param and primary_stem by --set, or name UVR's model_data.json with"
            if family == VR
            else "name its YAML file with"
        )
        raise BadArguments(f"it is a {family}: {asked} --config")
    if family in DEMUCS and config.get("model") in DEMUCS:
        family = config["model"]  # without a transformer, a state of one is like that of another
    if family == VR:
        try:
            config = {**sizes_of(header.shapes), **parameters_of(published, config)}
        except ValueError as error:
            raise BadArguments(f"the config does not describe a {family}: {error}") from error
    return _described(family, place, config)


def _described(family: str, place: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an entry whose config says the rest."""
    try:
        config = needed(family, config)
        how = hyperparameters(family, config)
    except ValueError as error:
        raise BadArguments(f"the config does not describe a {family}: {error}") from error
    plain = json.loads(json.dumps(config))  # no aliases in what is written
    cost = examine(place, family, plain)
    rest = {"rest": how.rest} if how.rest else {}
    return {
        "family": family,
        "stems": list(how.stems),
        **rest,
        "sample_rate": how.sample_rate,
        "segment_seconds": how.chunk / how.sample_rate,
        "cost": cost.cost,
        "memory_mb": cost.memory_mb,
        "config": plain,
    }


def _of_demucs(header: Header) -> dict[str, Any]:
    """The fields of one of demucs' networks, from the arguments that its file has."""
    family = header.metadata["klass"].rpartition(".")[2].lower()
    if family not in DEMUCS:
        raise WeightsMismatch(f"its class is {header.metadata['klass'][:100]}, which is not one of demucs'")
    try:
        args, kwargs = (
            json.loads(header.metadata.get(key, default)) for key, default in (("args", "[]"), ("kwargs", "{}"))
        )
        segment = kwargs.get("segment", _DEMUCS_SEGMENT[family])
        seconds = segment["numerator"] / segment["denominator"] if isinstance(segment, dict) else float(segment)
        stems = [str(stem) for stem in kwargs.get("sources") or args[0]]
        rate = int(kwargs.get("samplerate", 44100))
    except (ValueError, TypeError, KeyError, IndexError, ZeroDivisionError) as error:
        raise WeightsMismatch("the arguments of its network are not those of demucs'") from error
    cost, memory = cost_of(family, seconds)
    return {
        "family": family,
        "stems": stems,
        "sample_rate": rate,
        "segment_seconds": seconds,
        "cost": cost,
        "memory_mb": memory,
    }
