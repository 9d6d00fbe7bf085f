#!/usr/bin/env bash
# The engine's fidelity and figures on a machine with an NVIDIA card and torch; run in the checkout's root.
# Packages that the machine lacks travel as wheels in the folder .whl (demucs, einops, julius, sphn, lameenc, ...).
# The families beside Demucs' need pydantic, PyYAML and safetensors too.
# The tables go to $OUT/cuda.md and $OUT/cuda-families.md, or to tests/bench/ where OUT is not set.
set -euo pipefail
if [ -d .whl ]; then
    python3 -m pip install --quiet --no-index --no-deps .whl/*.whl
fi
missed=0
PYTHONUNBUFFERED=1 python3 -m workers.bench.command engine --device cuda --repeats 5 --compile \
    --output "${OUT:-tests/bench}/cuda.md" || missed=1
PYTHONUNBUFFERED=1 python3 -m tests.bench.cuda_families cuda "${OUT:-tests/bench}/cuda-families.md" || missed=1
exit "$missed"
