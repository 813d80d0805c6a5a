#!/usr/bin/env bash
# Schemathesis against the running executable's own /openapi.json: no 5xx, and every answer as the specification says.
# API_SECONDS bounds each of its three runs, API_SEED repeats one, KEEP_STACK=1 keeps the folder. Needs python3 with venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=scripts/tools.sh
source scripts/tools.sh

python="$(python_with api-python tests/api/requirements.txt)"
PYTHONDONTWRITEBYTECODE=1 exec "$python" tests/api/conformance.py "$@"
