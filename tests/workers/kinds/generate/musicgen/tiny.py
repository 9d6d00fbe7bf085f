"""A MusicGen of a few layers with random weights: its real code, in a few megabytes."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml

from tests.hub import COMMIT

TOKENS = 64  # of a codebook; the next one pads
NEEDED = ("config.json", "tokenizer.json", "model.safetensors")
LICENCE = "CC-BY-NC-4.0"


@functools.cache
def tiny(channels: int = 1, melody: bool = False) -> dict[str, bytes]:
    """The files of a repository that publishes one."""
    torch.manual_seed(7)
    network = _melodic(channels) if melody else _plain(channels)
    _stir(network)
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        _tokenizer().save(str(Path(folder) / "tokenizer.json"))
        return {name: (Path(folder) / name).read_bytes() for name in NEEDED}


def published(name: str, channels: int = 1, melody: bool = False) -> dict[str, bytes]:
    """The same by their paths on a hub."""
    return {f"someone/{name}/{file}": data for file, data in tiny(channels, melody).items()}


def catalog_file(folder: Path, name: str = "tiny", channels: int = 1, melody: bool = False, **fields: Any) -> Path:
    """A catalog with that generator, pinned, from the hub."""
    files = [
        {
            "hub": f"someone/{name}",
            "file": file,
            "revision": COMMIT,
            "sha256": _sha256(data),
            "size": len(data),
        }
        for file, data in tiny(channels, melody).items()
    ]
    entry = {
        "summary": "random",
        "family": "musicgen_melody" if melody else "musicgen",
        "channels": channels,
        "window_seconds": 2,
        "cost": 0.5,
        "memory_mb": 10,
        "licence": LICENCE,
        "files": files,
        **fields,
    }
    path = folder / "generators.yaml"
    path.write_text(yaml.safe_dump({"generators": {name: entry}}))
    return path


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _stir(network: Any) -> None:
    """Give it weights with which one token follows from those before, and each code has a sound of its own."""
    for parameter in network.decoder.parameters():
        if parameter.dim() > 1:
            parameter.data = torch.randn_like(parameter) / parameter.shape[-1] ** 0.5
    for name, buffer in network.audio_encoder.named_buffers():
        if name.endswith(".embed"):  # as initialised all codes are silent
            buffer.copy_(torch.randn_like(buffer))


def _parts(channels: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    words = {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    codec = {
        "sampling_rate": 32000,
        "num_filters": 4,
        "upsampling_ratios": [8, 5, 4, 4],
        "codebook_size": TOKENS,
        "codebook_dim": 16,
        "hidden_size": 16,
        "target_bandwidths": [1.2],
        "num_lstm_layers": 1,
        "use_causal_conv": False,
    }
    decoder = {
        "vocab_size": TOKENS,
        "hidden_size": 32,
        "ffn_dim": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_codebooks": 4 * channels,
        "audio_channels": channels,
        "pad_token_id": TOKENS,
        "bos_token_id": TOKENS,
    }
    return words, codec, decoder


def _plain(channels: int) -> Any:
    from transformers import EncodecConfig, MusicgenConfig, MusicgenForConditionalGeneration, T5Config
    from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

    words, codec, decoder = _parts(channels)
    config = MusicgenConfig(
        text_encoder=T5Config(**words), audio_encoder=EncodecConfig(**codec), decoder=MusicgenDecoderConfig(**decoder)
    )
    return MusicgenForConditionalGeneration(config).eval()


def _melodic(channels: int) -> Any:
    from transformers import EncodecConfig, MusicgenMelodyConfig, MusicgenMelodyForConditionalGeneration, T5Config
    from transformers.models.musicgen_melody.configuration_musicgen_melody import MusicgenMelodyDecoderConfig

    words, codec, decoder = _parts(channels)
    config = MusicgenMelodyConfig(
        text_encoder=T5Config(**words),
        audio_encoder=EncodecConfig(**codec),
        decoder=MusicgenMelodyDecoderConfig(**decoder),
        chroma_length=16,
    )
    return MusicgenMelodyForConditionalGeneration(config).eval()


def _tokenizer() -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    words = ("a", "dark", "slow", "tune", "beat", "bpm", "pop", "trap", "C", "minor", "major", "120", ",")
    known = {"<pad>": 0, "</s>": 1, "<unk>": 2, **{word: at for at, word in enumerate(words, 3)}}
    tokenizer = Tokenizer(WordLevel(known, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer
