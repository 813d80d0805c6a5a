#!/usr/bin/env bash
# kill -9 of the built executable at random moments under mixed traffic. CRASH_ROUNDS says how often (200 is the full
# proof), CRASH_SEED repeats a run, KEEP_STACK=1 keeps its folder. Needs only python3.
set -euo pipefail
cd "$(dirname "$0")"
PYTHONDONTWRITEBYTECODE=1 exec python3 crash.py "$@"
