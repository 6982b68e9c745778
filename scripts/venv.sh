#!/bin/sh
# Makes .venv from a pinned requirements file: with uv where it is at hand, else with venv and pip.
# usage: venv.sh REQUIREMENTS STAMP
set -eu
requirements=$1
stamp=$2

say() { echo "hongyan: $*" >&2; }

python=
for candidate in "${PYTHON3:-}" python3 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "Python 3.11 or newer is needed and was not found. Install it, or name it: make quickstart PYTHON3=/path/to/python3"
    exit 1
fi

mkdir -p .venv 2>/dev/null || { say "this folder cannot be written to; choose one that belongs to you."; exit 1; }
if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv --quiet --allow-existing --python "$python" .venv
    uv pip install --quiet --python .venv/bin/python --require-hashes -r "$requirements"
else
    if [ ! -x .venv/bin/pip ]; then
        "$python" -m venv .venv || {
            say "Python's venv module is missing (on Debian: apt install python3-venv)."; exit 1; }
    fi
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "$requirements" || {
        say "the packages could not be installed; the lines above say why (no network, or a full disk?)."; exit 1; }
fi
touch "$stamp"
