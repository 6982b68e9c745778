#!/bin/sh
# Pins every dependency with hashes and without a package host's name (needs uv).
set -eu
export UV_CUSTOM_COMPILE_COMMAND="make requirements"
options="--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header"
uv pip compile $options pyproject.toml -o requirements.txt
uv pip compile $options pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
