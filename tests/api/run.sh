#!/usr/bin/env bash
# Schemathesis against the running executable's own /openapi.json: no 5xx, and every answer as the specification says.
# API_SECONDS bounds each of its three runs, API_SEED repeats one, KEEP_STACK=1 keeps the folder. Needs python3 with venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=.cache/api-python
pins=tests/api/requirements.txt
if ! cmp -s "$pins" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$pins"
    cp "$pins" "$venv/installed.txt"
fi
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" tests/api/conformance.py "$@"
