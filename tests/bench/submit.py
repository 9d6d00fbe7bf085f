"""How long the api takes to accept 100 jobs that are sent at once: `python -m tests.bench.submit`.

A whole service runs, workers too. A latency is the time from the first byte sent to the answer's last byte.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from stemsvc_client import Client

from stemsvc.demo.render import render_song
from stemsvc.embedded import background
from stemsvc.settings import Settings
from tests.sounds import write_sound
from workers.bench.load import burst, percentile, submission

JOBS = 100
ROUNDS = 3
P99_BAR, P99_AIM = 0.200, 0.050  # seconds


def main() -> int:
    """Print the figures; 1 where p99 misses its bar."""
    with tempfile.TemporaryDirectory(prefix="stemsvc-submit-") as folder:
        sound = np.sum(list(render_song(9600, 1.0).values()), axis=0).T.astype(np.float32)
        song = write_sound(Path(folder) / "song.flac", sound, 44100)
        settings = Settings(data_dir=Path(folder) / "data", api_port=0, pools="demo:cpu", result_cache=False)
        stack = background.start(settings)
        try:
            host, port = stack.url.removeprefix("http://").split(":")
            with Client(stack.url) as client:
                client.wait(client.submit(song, stems="vocals")["id"], 120)
                p99s = []
                for _ in range(ROUNDS):
                    start = time.perf_counter()
                    answers = burst(host, int(port), [submission(host, song.read_bytes())] * JOBS)
                    ends = [client.wait(answer.job_id, 300)["state"] for answer in answers]
                    p99s.append(percentile(answers, 0.99))
                    p50 = percentile(answers, 0.5)
                    print(
                        f"{JOBS} jobs at once: p50 {p50 * 1e3:.0f} ms, p99 {p99s[-1] * 1e3:.0f} ms; "
                        f"{ends.count('succeeded')} succeeded in {time.perf_counter() - start:.1f} s"
                    )
        finally:
            background.stop(settings)
    p99 = statistics.median(p99s)
    print(f"p99 {p99 * 1e3:.0f} ms (bar {P99_BAR * 1e3:.0f}, aim {P99_AIM * 1e3:.0f})")
    return int(p99 > P99_BAR)


if __name__ == "__main__":
    sys.exit(main())
