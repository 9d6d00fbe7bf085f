"""What a job says of its track or its work although it succeeds. A code exists once, here, with what it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

DEMO_MODEL = "demo_model"
MODEL_REPLACED = "model_replaced"
SLOW_ON_CPU = "slow_on_cpu"
FULL_PRECISION = "full_precision"
SOUNDFONT_UNUSABLE = "soundfont_unusable"
TABLE = {
    "audio_truncated": "The file breaks off: a frame, a chunk or an atom ends beyond the file's last byte. The job has "
    "what was left of the track. Send the file whole.",
    "broken_packets": "Parts of the file can't be decoded and are left out. Where the file tells when its sound is "
    "heard, silence takes their place. Export the file again.",
    "end_beyond_track": "The track ends before the `end` that was asked for: the part goes up to the track's own end.",
    "mix_clips": "The mix goes beyond full scale, and its format can't keep that: the samples were clipped. Lower "
    "`gain_db`, set `normalise`, or ask for wav with the bit depth float32.",
    "loudness_unmeasured": "The song is silent or shorter than 0.4 s, so it has no loudness: it was brought to none.",
    "target_not_reached": "The song can't be made so loud under its ceiling. The `detail` has the loudness it got.",
    MODEL_REPLACED: "The generator that the job named failed, or its weights can't be had, so another model made the "
    "piece. The `detail` says which one and why. Add what is missing, and send the job again.",
    SLOW_ON_CPU: "A generator ran on a CPU, where it is many times slower than the music plays. Let a pool with a GPU "
    "serve the kind `generate`, or ask for `sketch`.",
    SOUNDFONT_UNUSABLE: "The worker can't play the SoundFont of its settings, so `sketch` played its own sounds alone. "
    "The `detail` says why. `stemsvc doctor` looks at `STEMSVC_SOUNDFONT`, too.",
    FULL_PRECISION: "The job asked for the precision `fast`, which gains nothing with this model on the worker's "
    "machine, so it was made in full precision. To gain, `fast` needs a card, or a processor with AMX or AMD's "
    "AVX512_BF16, and a model that OpenVINO runs. `GET /v1/workers` says which `precisions` a worker has.",
    DEMO_MODEL: "The job named no model, and the weights of the usual one are not here and can't be fetched, so the "
    "bundled demo model made the stems. It is for trying stemsvc out. Connect the workers to the network, or fill "
    "their folder of weights with `stemsvc models pull`, and send the job again.",
}


@dataclass(frozen=True)
class JobWarning:
    """One warning: its code, stable for programs, and a text for people."""

    code: str
    detail: str


def read_warnings(stored: Iterable[Mapping[str, Any]] | None) -> tuple[JobWarning, ...]:
    """The warnings of a row or of a pipe; also codes that only another release knows."""
    return tuple(JobWarning(str(each["code"]), str(each["detail"])) for each in stored or ())


def to_json(warnings: Iterable[JobWarning]) -> list[dict[str, str]]:
    """The warnings as JSON, each once."""
    return [{"code": each.code, "detail": each.detail} for each in dict.fromkeys(warnings)]
