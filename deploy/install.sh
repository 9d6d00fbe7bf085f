#!/bin/sh
# Installs the packages of the lock file $2, and stemsvc, into a virtual environment at $1. With `--editable` as $3,
# stemsvc stays in this folder; with `--packages` the packages come alone. pip takes a file only if the lock has its hash,
# and installs nothing that no lock lists.
# TORCH_INDEX is the index of torch's wheels for CPUs, if they are not where pip looks anyway.
# It says what it does: each file of a megabyte or more as it comes, all that pip said where it fails.
set -eu
target=$1
lock=$2
how=${3:-}
"${PYTHON:-python3}" -c '
import sys
sys.exit(sys.version_info < (3, 11, 5) and "the lock files need Python 3.11.5 or newer: PYTHON names one")'
test -x "$target/bin/python" || "${PYTHON:-python3}" -m venv "$target"
said=$(mktemp)
trap 'rm -f "$said" "$said.done"' EXIT
# Leaves what pip said in $said; the result is pip's own.
install() {
  rm -f "$said.done"
  {
    "$target/bin/python" -m pip install --disable-pip-version-check --progress-bar off --no-deps "$@" 2>&1 &&
      touch "$said.done"
  } | tee "$said" | awk '
    /Downloading .*\([0-9.]+ [MG]B\)/ { sub(/^.*Downloading /, "  fetched "); print; fflush() }
    /^Installing collected packages/ { print "  installing them"; fflush() }'
  test -e "$said.done"
}
whole() {
  install "$@" || {
    cat "$said" >&2
    exit 1
  }
}
packages() {
  grep -c '^[a-z0-9].*==' "$1"
}
# torch for CPUs, if some index has it; else the lock's own pin takes that of PyPI
if grep -q '^torch==' "$lock"; then
  echo "torch for CPUs (about 200 MB), if pip finds it:"
  if ! install --require-hashes ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
    --requirement deploy/torch-cpu.lock; then
    grep -q "No matching distribution" "$said" || whole --require-hashes --requirement deploy/torch-cpu.lock
    echo "  pip knows no index that has it; TORCH_INDEX would name one. torch for CUDA comes instead (3 GB more)"
  fi
fi
echo "the $(packages "$lock") packages of $lock:"
whole --require-hashes --requirement "$lock"
# what CUDA needs is 3 GB, and torch for CPUs does not ask for it
if "$target/bin/python" -c '
import importlib.metadata, sys
try:
    asked = importlib.metadata.requires("torch") or []
except importlib.metadata.PackageNotFoundError:
    asked = []
sys.exit(not any(each.startswith("nvidia-") for each in asked))'; then
  echo "what torch for CUDA needs, $(packages deploy/cuda.lock) packages (about 3 GB):"
  whole --require-hashes --requirement deploy/cuda.lock
fi
# our own code has no hash; the setuptools that builds it has one
case $how in
  --packages) ;;
  --editable) echo "stemsvc itself:" && whole --no-build-isolation --editable . ;;
  *) echo "stemsvc itself:" && whole --no-build-isolation . ;;
esac
"$target/bin/python" -m pip check --disable-pip-version-check
# the packages that are there, for an inventory
"$target/bin/python" -m pip list --disable-pip-version-check --format json > "$target/packages.json"
