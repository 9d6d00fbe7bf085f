"""Hyperparameters of networks, as the YAML files of MSST and audio-separator have them, and UVR's tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stemsvc.errors import BadCatalog
from stemsvc.models import demucs
from stemsvc.models.architectures import ARCHITECTURES, TRAINING
from stemsvc.models.demucs import DEMUCS
from stemsvc.models.marked_yaml import value_of
from stemsvc.models.uvr import MDXNET, RATE, MDXNetData, pair
from stemsvc.models.vr import SOLO, VR, VRData

MOST_BYTES = 256 << 10  # the longest published file has 10 kB
MOST_ALIASES = 32  # nested ones could stand for billions of values
LONGEST_CHUNK = 60  # seconds; published ones have at most 18
MOST_CHUNKS = 10  # of one sample, as `overlap` allows
REST = {"vocals": "instrumental"}  # names of what is left of a mixture
UVR: Mapping[str, type[BaseModel]] = {MDXNET: MDXNetData, VR: VRData}
FAMILIES = frozenset({*ARCHITECTURES, MDXNET, VR})  # those that need a config; Demucs' may have one
_LOOSE = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class Audio(BaseModel):
    """The section `audio`."""

    model_config = _LOOSE

    sample_rate: int = Field(44100, ge=8000, le=192000)
    num_channels: int = Field(2, ge=2, le=2)
    chunk_size: int | None = Field(None, gt=0)
    hop_length: int | None = Field(None, ge=16, le=16384)
    n_fft: int | None = Field(None, ge=64, le=32768)
    dim_f: int | None = Field(None, ge=1, le=16385)


class Training(BaseModel):
    """The section `training`: what the network was trained to predict."""

    model_config = _LOOSE

    instruments: tuple[str, ...] = Field(min_length=1, max_length=64)
    target_instrument: str | None = None


class Inference(BaseModel):
    """The section `inference`."""

    model_config = _LOOSE

    chunk_size: int | None = Field(None, gt=0)
    dim_t: int | None = Field(None, gt=1)
    num_overlap: int = Field(2, ge=1, le=MOST_CHUNKS)
    normalize: bool = False


class Hyperparameters(BaseModel):
    """A family, the arguments of its network, and how tracks are cut for it.

    `stems` are all that a job can get. `rest` is the one of them that the network does not predict.
    """

    model_config = ConfigDict(frozen=True)

    family: str
    network: dict[str, Any]
    stems: tuple[str, ...]
    rest: str | None
    sample_rate: int
    chunk: int
    overlap: float
    normalized: bool

    @property
    def predicted(self) -> tuple[str, ...]:
        """The stems that the network predicts, in its order."""
        return tuple(stem for stem in self.stems if stem != self.rest)

    @model_validator(mode="after")
    def _bounded(self) -> Hyperparameters:
        if not self.sample_rate // 4 <= self.chunk <= LONGEST_CHUNK * self.sample_rate:
            raise ValueError(f"a chunk of {self.chunk} samples is not between 0.25 and {LONGEST_CHUNK} s")
        if len({*self.stems}) < len(self.stems):
            raise ValueError(f"two stems have the same name: {', '.join(self.stems)}")
        return self


def read_config(path: Path) -> dict[str, Any]:
    """The sections of a YAML file that say what a network is. Raises `FatalError` `bad_catalog`."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadCatalog(f"{path} has more than {MOST_BYTES >> 10} kB: it is no config of a network")
        text = path.read_text(encoding="utf-8")
        if sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.SafeLoader)) > MOST_ALIASES:
            raise BadCatalog(f"{path} has more than {MOST_ALIASES} aliases")
        config = value_of(yaml.compose(text, yaml.SafeLoader))
    except (OSError, UnicodeDecodeError) as error:
        raise BadCatalog(f"{path} can't be read: {error}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        words = " ".join(str(error).split())[:300]
        raise BadCatalog(f"{path} is not YAML that a safe loader reads: {words}") from error
    if not isinstance(config, dict):
        raise BadCatalog(f"{path} is not a mapping of sections")
    return config


def needed(family: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config that separation needs: without what only training reads."""
    if family in UVR:
        return {name: config[name] for name in UVR[family].model_fields if name in config}
    training = _section(config, "training")
    if family in DEMUCS:
        read = {name: training[name] for name in demucs.Training.model_fields if name in training}
        cut = _section(config, "inference")
        return {
            "model": config.get("model"),
            family: dict(_section(config, family)),
            "training": read,
            "inference": {name: cut[name] for name in ("num_overlap", "normalize") if name in cut},
        }
    sections = {
        "audio": {name: value for name, value in _section(config, "audio").items() if name in Audio.model_fields},
        "model": {name: value for name, value in _section(config, "model").items() if name not in TRAINING},
        "training": {name: training[name] for name in Training.model_fields if name in training},
        "inference": {
            name: value for name, value in _section(config, "inference").items() if name in Inference.model_fields
        },
    }
    return {name: section for name, section in sections.items() if section}


def hyperparameters(family: str, config: Mapping[str, Any]) -> Hyperparameters:
    """What a config says. Raises `ValueError` with the key at fault."""
    if family in UVR:
        try:
            return _of_mdxnet(config) if family == MDXNET else _of_vr(config)
        except ValidationError as error:
            raise ValueError(_words("", error)) from error
    if family in DEMUCS:
        return _of_demucs(family, config)
    audio = _read(Audio, config, "audio")
    training = _read(Training, config, "training")
    inference = _read(Inference, config, "inference")
    architecture = ARCHITECTURES[family]
    given = {name: value for name, value in _section(config, "model").items() if name not in TRAINING}
    if architecture.spectrum_in_audio:
        given |= {name: getattr(audio, name) for name in ("n_fft", "hop_length", "dim_f")}
    unknown = [name for name, value in given.items() if name not in architecture.fields and value]
    if unknown:
        raise ValueError(f"model.{unknown[0]}: no {family} that is known here has it")
    known = {name: value for name, value in given.items() if name in architecture.fields}
    target = training.target_instrument
    stems, rest = _stems(training.instruments, target)
    predicted = len(stems) - (rest is not None)
    try:
        network = architecture.read(known, predicted, audio.sample_rate)
    except ValidationError as error:
        raise ValueError(_words("model", error)) from error
    chunk = inference.chunk_size or audio.chunk_size
    if chunk is None and audio.hop_length and inference.dim_t:
        chunk = audio.hop_length * (inference.dim_t - 1)
    if chunk is None:
        raise ValueError("audio.chunk_size: missing")
    try:
        return Hyperparameters(
            family=family,
            network=network,
            stems=stems,
            rest=rest,
            sample_rate=audio.sample_rate,
            chunk=chunk,
            overlap=1 - 1 / inference.num_overlap,
            normalized=inference.normalize,
        )
    except ValidationError as error:
        raise ValueError(_words("", error)) from error


def _of_mdxnet(config: Mapping[str, Any]) -> Hyperparameters:
    said = MDXNetData.model_validate(dict(config))
    network = said.network()
    stems = pair(said.primary_stem, stem_name)
    return Hyperparameters(
        family=MDXNET,
        network=network,
        stems=stems,
        rest=stems[1],
        sample_rate=RATE,
        chunk=network["hop_length"] * (network["dim_t"] - 1),
        overlap=said.overlap,
        normalized=False,
    )


def _of_vr(config: Mapping[str, Any]) -> Hyperparameters:
    said = VRData.model_validate(dict(config))
    stems = pair(said.primary_stem, stem_name)
    network = said.network(solo=stems[0] in SOLO)
    layout = network["layout"]
    return Hyperparameters(
        family=VR,
        network=network,
        stems=stems,
        rest=None,  # it is what the mask leaves
        sample_rate=layout.sr,
        chunk=(said.window_size - 2 * said.context) * layout.bands[-1].hl,
        overlap=said.overlap,
        normalized=False,
    )


def _of_demucs(family: str, config: Mapping[str, Any]) -> Hyperparameters:
    if config.get("model") != family:
        raise ValueError(f"model: is {str(config.get('model'))[:60]!r}, not {family}")
    training = _read(demucs.Training, config, "training")
    inference = _read(Inference, config, "inference")
    only = training.instruments[0] if len(training.instruments) == 1 else None
    stems, rest = _stems(training.instruments, only)
    try:
        network = demucs.arguments(family, _section(config, family))
        return Hyperparameters(
            family=family,
            network={
                "sources": [stem for stem in stems if stem != rest],
                "audio_channels": training.channels,
                "samplerate": training.samplerate,
                "segment": training.segment,
                **network,
            },
            stems=stems,
            rest=rest,
            sample_rate=training.samplerate,
            chunk=int(training.segment * training.samplerate),
            overlap=1 - 1 / inference.num_overlap,
            normalized=inference.normalize,
        )
    except ValidationError as error:
        raise ValueError(_words(family, error)) from error


def _stems(instruments: tuple[str, ...], target: str | None) -> tuple[tuple[str, ...], str | None]:
    """The stems' names, and which of them is the mixture less the others: only a target is predicted where one is."""
    names = tuple(stem_name(name) for name in instruments)
    if not target:
        return names, None
    wanted = stem_name(target)
    if len(names) == 2 and wanted in names:
        return names, next((name for name in names if name != wanted), None)
    rest = REST.get(wanted, "rest")
    return (wanted, rest), rest


def stem_name(name: str) -> str:
    """An instrument's name as the name of a stem: lower case, and nothing but letters, digits and underscores."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")[:40] or "stem"
    return "rest" if plain == "residual" else plain


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise ValueError(f"{name}: is not a mapping")  # noqa: TRY004 - the caller makes one error of all
    return section


M = Any


def _read(model: type[M], config: Mapping[str, Any], name: str) -> M:
    try:
        return model.model_validate(dict(_section(config, name)))
    except ValidationError as error:
        raise ValueError(_words(name, error)) from error


def _words(section: str, error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in (section, *first["loc"]) if part != "")
    return f"{key}: {first['msg'].removeprefix('Value error, ')}" if key else first["msg"].removeprefix("Value error, ")
