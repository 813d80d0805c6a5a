#!/usr/bin/env bash
# Statistics, rankings and account views against a computation of their own over exported events, on the built executable.
# STATISTICS_SEED, STATISTICS_DAYS and STATISTICS_REQUESTS change what is played, KEEP_STACK=1 keeps its folder,
# TEST_SHAPE=distributed runs roles as processes of their own on real servers. Needs python3 with venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=scripts/tools.sh
source scripts/tools.sh

python="$(python_with statistics-python tests/statistics/requirements.txt)"
PYTHONDONTWRITEBYTECODE=1 exec "$python" tests/statistics/compare.py "$@"
