"""Loads a MusicGen from the catalog's files, offline, and keeps the last one in memory for the next job."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stemsvc.errors import DeviceOutOfMemory, GeneratorFailed
from stemsvc.models.generators import TOKENIZER, GeneratorEntry
from stemsvc.observe import metrics
from workers.kinds.generate.musicgen.tokens import Pattern

MOST_WORDS = 256  # tokens of a prompt that are heard


@dataclass(frozen=True)
class Loaded:
    """A network on its device, its tokenizer, and how its music is cut into frames."""

    name: str
    device: str
    network: Any
    tokenizer: Any
    pattern: Pattern
    sample_rate: int
    frame_rate: int

    @property
    def hop(self) -> int:
        """Samples of a frame."""
        return self.sample_rate // self.frame_rate


_resident: list[Loaded] = []  # at most one: memory holds one generator


def is_resident(entry: GeneratorEntry, device: str) -> bool:
    """Whether that generator is in memory."""
    return any((each.name, each.device) == (entry.name, device) for each in _resident)


def loaded(entry: GeneratorEntry, device: str, paths: Sequence[Path]) -> Loaded:
    """The generator on the device, in half precision where that is CUDA. `paths` are those of the entry's files.

    Raises `FatalError` `generator_failed`, `TransientError` `device_out_of_memory`.
    """
    if not is_resident(entry, device):
        drop()
        start = time.perf_counter()
        with translated(f"{entry.name} can't be loaded"):
            _resident.append(_load(entry, device, paths))
        taken = torch.cuda.memory_allocated(device) if device.startswith("cuda") else 0
        metrics.model_loaded(entry.name, device, time.perf_counter() - start, taken)
    return _resident[0]


def drop() -> None:
    """Forget the generator that is in memory."""
    for each in _resident:
        metrics.model_dropped(each.name, each.device)
    _resident.clear()


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the errors of torch and transformers into ours."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceOutOfMemory(f"{what}: the device's memory is too small") from error
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, ImportError) as error:
        words = " ".join(str(error).split())[:200]
        raise GeneratorFailed(f"{what}: {type(error).__name__}: {words}") from error


def _load(entry: GeneratorEntry, device: str, paths: Sequence[Path]) -> Loaded:
    from tokenizers import Tokenizer
    from transformers import MusicgenForConditionalGeneration, MusicgenMelodyForConditionalGeneration
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    kind = MusicgenMelodyForConditionalGeneration if entry.follows_melody else MusicgenForConditionalGeneration
    with tempfile.TemporaryDirectory(prefix="stemsvc-generator-") as folder:
        for file, path in zip(entry.files, paths, strict=True):
            (Path(folder) / file.filename).symlink_to(path.absolute())
        network, told = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        tokenizer = Tokenizer.from_file(str(Path(folder) / TOKENIZER))
    if lacking := sorted(told["missing_keys"]):
        raise GeneratorFailed(f"the weights of {entry.name} lack {len(lacking)} tensors, such as {lacking[0]}")
    tokenizer.enable_truncation(MOST_WORDS)
    network.eval().to(device)
    if device.startswith("cuda"):
        network.decoder.half()  # not the text encoder, whose numbers are too large for it, nor the codec
    decoder, codec = network.config.decoder, network.config.audio_encoder
    if (decoder.audio_channels, codec.sampling_rate) != (entry.channels, entry.sample_rate):
        raise GeneratorFailed(f"{entry.name} has {decoder.audio_channels} channels at {codec.sampling_rate} Hz")
    pattern = Pattern(decoder.num_codebooks, decoder.audio_channels, decoder.vocab_size)
    return Loaded(entry.name, device, network, tokenizer, pattern, codec.sampling_rate, codec.frame_rate)
