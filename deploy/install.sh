#!/bin/sh
# Installs the packages of the lock file $2, and stemsvc, into a virtual environment at $1. With `--editable` as $3,
# stemsvc stays in this folder; with `--packages` the packages come alone. pip takes a file only if the lock has its hash,
# and installs nothing that no lock lists.
# TORCH_INDEX is the index of torch's wheels for CPUs, if they are not where pip looks anyway.
set -eu
target=$1
lock=$2
how=${3:-}
"${PYTHON:-python3}" -c '
import sys
sys.exit(sys.version_info < (3, 11, 5) and "the lock files need Python 3.11.5 or newer: PYTHON names one")'
test -x "$target/bin/python" || "${PYTHON:-python3}" -m venv "$target"
install() {
  "$target/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps "$@"
}
# torch for CPUs, if some index has it; else the lock's own pin takes that of PyPI
if grep -q '^torch==' "$lock"; then
  if ! said=$(install --require-hashes ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
    --requirement deploy/torch-cpu.lock 2>&1); then
    case $said in
      *"No matching distribution"*) ;;
      *)
        echo "$said" >&2
        exit 1
        ;;
    esac
  fi
fi
install --require-hashes --requirement "$lock"
# what CUDA needs is 3 GB, and torch for CPUs does not ask for it
if "$target/bin/python" -c '
import importlib.metadata, sys
try:
    asked = importlib.metadata.requires("torch") or []
except importlib.metadata.PackageNotFoundError:
    asked = []
sys.exit(not any(each.startswith("nvidia-") for each in asked))'; then
  install --require-hashes --requirement deploy/cuda.lock
fi
# our own code has no hash; the setuptools that builds it has one
case $how in
  --packages) ;;
  --editable) install --no-build-isolation --editable . ;;
  *) install --no-build-isolation . ;;
esac
"$target/bin/python" -m pip check --disable-pip-version-check
# the packages that are there, for an inventory
"$target/bin/python" -m pip list --disable-pip-version-check --format json > "$target/packages.json"
