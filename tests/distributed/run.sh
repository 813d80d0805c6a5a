#!/usr/bin/env bash
# The distributed deployment on real servers, with faults under traffic. FAULT_ROUNDS says how often every fault is
# caused (1 by default), FAULT_SEED repeats a run, FAULTS="nats redis" chooses some, KEEP_STACK=1 keeps its folder. Needs python3.
set -euo pipefail
cd "$(dirname "$0")"
PYTHONDONTWRITEBYTECODE=1 exec python3 faults.py "$@"
