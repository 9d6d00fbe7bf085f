#!/bin/sh
# Installs stemsvc with the extras $2 into a virtual environment at $1. This step of both images needs no Docker, and
# tests/deploy runs it. TORCH_INDEX is the index of torch's wheels for a device, if they are not where pip looks anyway.
set -eu
target=$1
extras=$2
python3 -m venv "$target"
"$target/bin/pip" install --no-cache-dir --disable-pip-version-check --quiet --constraint requirements.lock \
  ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[$extras]"
# the packages in the image, for an inventory (SBOM)
"$target/bin/pip" list --disable-pip-version-check --format json > "$target/packages.json"
