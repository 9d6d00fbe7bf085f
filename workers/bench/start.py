"""How long a cold start takes: of `stemsvc separate`, and of a worker until it takes jobs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from stemsvc.embedded.ports import free_port
from stemsvc.embedded.processes import StackProcess, wait_until
from stemsvc.embedded.redis_server import RedisServer
from stemsvc.jobstore.engine import migrate
from stemsvc.settings import Settings
from workers.audio.encode import encode
from workers.bench.engine import RATE, STEMS, Size, bag, music, network
from workers.bench.table import Figure, Say, in_turn
from workers.engine.separate import Separator

CLIP_SECONDS = 10.0
LONGEST_SECONDS = 600.0  # that any start may take
CATALOG = """models:
  random: {{summary: random weights, family: htdemucs, stems: [{stems}], sample_rate: {rate},
           segment_seconds: {segment}, licence: none, files: [{{path: random.th}}]}}
"""


def start_figures(size: Size, repeats: int, say: Say) -> Iterator[Figure]:
    """The medians. The conversion is cached before; files of packages may be in the system's cache too."""
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name:
        folder = Path(name)
        made = network(size)
        settings = _settings(folder, made, size)
        clip, engine = folder / "clip.flac", Separator(bag(made), cache=settings.resolved_cache_dir)
        encode(music(CLIP_SECONDS), RATE, clip, "flac", "16")
        say(f"`stemsvc separate` of {CLIP_SECONDS:g} s in a process of its own, and the separation alone in a warm one")
        took = in_turn(
            repeats,
            say,
            cold=lambda: _separate(settings, clip, folder / "stems"),
            alone=lambda: engine.separate_array(music(CLIP_SECONDS)),
        )
        detail = f"conversion cached; the separation alone takes {took['alone']:.2f} s"
        yield Figure(f"cold `separate` of {CLIP_SECONDS:g} s", detail, took["cold"], " s", bar=3.0)
        say("a worker, from its start until it takes jobs")
        ready = _ready(settings, folder, repeats)
        yield Figure("worker ready", "the broker and the job store are there", ready, " s", bar=5.0)


def _settings(folder: Path, made: object, size: Size) -> Settings:
    args, kwargs = made._init_args_kwargs  # type: ignore[attr-defined]
    package = {"klass": type(made), "args": args, "kwargs": kwargs, "state": made.state_dict()}  # type: ignore[attr-defined]
    torch.save(package, folder / "random.th")
    catalog = folder / "catalog.yaml"
    catalog.write_text(CATALOG.format(stems=", ".join(STEMS), rate=RATE, segment=float(size.segment)))
    return Settings(
        data_dir=folder / "data", cache_dir=folder / "cache", catalog=catalog, pools="random:cpu", concurrency=1
    )


def _separate(settings: Settings, clip: Path, output: Path) -> None:
    command = [sys.executable, "-m", "stemsvc", "separate", str(clip), "-o", str(output), "--model", "random"]
    subprocess.run(command, env=settings.environment(), check=True, capture_output=True, timeout=LONGEST_SECONDS)


def _ready(settings: Settings, folder: Path, repeats: int) -> float:
    settings.data_dir.mkdir(exist_ok=True)
    migrate(settings.resolved_database_url)
    redis = RedisServer(settings.data_dir / "redis")
    redis.child.start()
    try:
        wait_until("redis", redis.answers, [redis.child], 20)
        return statistics.median(_worker(settings, folder, redis.url) for _ in range(repeats))
    finally:
        redis.child.stop(10)


def _worker(settings: Settings, folder: Path, broker: str) -> float:
    """Start a worker, wait until it says that it takes jobs, and end it. Returns the seconds of the wait."""
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    own = settings.model_copy(update={"ready_file": ready, "broker_url": broker, "metrics_port": free_port()})
    command = [sys.executable, "-m", "stemsvc", "worker", "--model", "random"]
    child = StackProcess("worker", command, own.environment(), folder / "worker.log")
    child.start()
    try:
        wait_until("the worker", ready.exists, [child], LONGEST_SECONDS)
        return child.age
    finally:
        child.stop(60)
