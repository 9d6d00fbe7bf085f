#!/bin/sh
# Installs stemsvc alone into the folder $2, where it lies as it will below /: an image adds that to the packages that
# `install.sh --packages` has installed at $1, and keeps the layer that has them.
set -eu
target=$1
staged=$2
export PYTHONDONTWRITEBYTECODE=1 # what $1 has stays as it is
pip="$target/bin/python -m pip --disable-pip-version-check"
# our own code has no hash; the setuptools that builds it has one
$pip install --quiet --no-deps --no-build-isolation --root "$staged" --prefix "$target" .
site=$("$target/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
export PYTHONPATH="$staged$site"
$pip check
# the packages that are there, for an inventory
$pip list --format json > "$staged$target/packages.json"
