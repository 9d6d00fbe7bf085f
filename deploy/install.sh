#!/bin/sh
# Installs stemsvc with the extras $2 into a virtual environment at $1: the one step of both images that can be run
# without Docker, and is, by tests/deploy. TORCH_INDEX: where wheels of torch for a device are, if not where pip looks.
set -eu
target=$1
extras=$2
python3 -m venv "$target"
"$target/bin/pip" install --no-cache-dir --disable-pip-version-check --quiet --constraint requirements.lock \
  ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[$extras]"
# what is in the image, for who has to know
"$target/bin/pip" list --disable-pip-version-check --format json > "$target/packages.json"
