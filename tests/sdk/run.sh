#!/usr/bin/env bash
# OpenAI's and Anthropic's official SDKs for Python and Node against the built executables. Needs python3 with venv, and node;
# installs the pinned packages into .cache/ and node_modules/. TOLLGATE_BIN and MOCK_PROVIDER_BIN choose other executables.
# TEST_SHAPE=distributed runs them against roles as processes of their own on real servers instead of one process on files.
set -uo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=scripts/tools.sh
source scripts/tools.sh

python="$(python_with sdk-python tests/sdk/python/requirements.txt)" || exit 1
lock=tests/sdk/node/package-lock.json
if ! cmp -s "$lock" tests/sdk/node/node_modules/installed.json; then
    (cd tests/sdk/node && npm ci --no-audit --no-fund --loglevel=error) && cp "$lock" tests/sdk/node/node_modules/installed.json || exit 1
fi

failed=0
PYTHONDONTWRITEBYTECODE=1 "$python" -m pytest -q -p no:cacheprovider tests/sdk/python "$@" || failed=1
(cd tests/sdk/node && PYTHONDONTWRITEBYTECODE=1 python3 ../../stack.py -- node --test) || failed=1
exit $failed
