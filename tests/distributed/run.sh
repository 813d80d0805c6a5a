#!/usr/bin/env bash
# The distributed deployment on real servers, with faults under traffic. FAULT_ROUNDS says how often every fault is
# caused (1 by default), FAULT_SEED repeats a run, FAULTS="nats redis" chooses some, KEEP_STACK=1 keeps its folder. Longer
# ones: FAULT_SECONDS (the bank test, 15), FAULT_HOT_REQUESTS (the hot account, 1500), FAULT_CUT_SECONDS (a leader without its
# followers, 12), FAULT_NATS_SECONDS, FAULT_CLICKHOUSE_SECONDS. Needs python3; wrong clocks need libfaketime.
set -euo pipefail
cd "$(dirname "$0")"
PYTHONDONTWRITEBYTECODE=1 exec python3 faults.py "$@"
