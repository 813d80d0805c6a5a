#!/usr/bin/env bash
# Statistics, rankings and account views against a computation of their own over exported events, on the built executable.
# STATISTICS_SEED, STATISTICS_DAYS and STATISTICS_REQUESTS change what is played, KEEP_STACK=1 keeps its folder,
# TEST_SHAPE=distributed runs roles as processes of their own on real servers. Needs python3 with venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=.cache/statistics-python
pins=tests/statistics/requirements.txt
if ! cmp -s "$pins" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$pins"
    cp "$pins" "$venv/installed.txt"
fi
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" tests/statistics/compare.py "$@"
