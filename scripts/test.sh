#!/usr/bin/env bash
# The whole proof, from nothing. Runs every stage even after one failed, prints a summary, exits non-zero on any failure.
#
# As root it installs missing system packages with apt; otherwise it says what is missing. `scripts/test.sh rust web`
# runs only the stages named.
set -uo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
source scripts/tools.sh

export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}" CARGO_INCREMENTAL="${CARGO_INCREMENTAL:-0}"
wanted=("$@")
passed=() failed=()
logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT
# How many of a failed stage's last lines are printed once more at the end, where they are looked for.
LAST_LINES=12

# stage NAME COMMAND…: runs it unless other stages were asked for, remembers how it ended.
stage() {
    local name="$1" begin=$SECONDS
    shift
    if ((${#wanted[@]})) && [[ " ${wanted[*]} " != *" $name "* ]]; then return 0; fi
    printf '\n==> %s\n' "$name"
    # Not a pipe: whatever a stage left running would keep it open.
    : >"$logs/$name"
    if "$@" > >(tee "$logs/$name") 2>&1; then
        passed+=("$name ($((SECONDS - begin)) s)")
    else
        failed+=("$name")
        printf 'FAILED   %s (%s s)\n' "$name" "$((SECONDS - begin))"
    fi
}

web_test() (
    cd web && npm run --silent lint && npm run --silent typecheck && npm run --silent test && npm run --silent build && npm run --silent size
)

format() { cargo fmt --all --check; }
lint() { cargo clippy --workspace --all-targets -- -D warnings; }

# Unit, property, model, contract, crash and integration tests of every crate, with private servers beside them.
rust() {
    if cargo nextest --version >/dev/null 2>&1; then
        python3 scripts/servers.py run -- cargo nextest run --workspace --no-fail-fast
    else
        python3 scripts/servers.py run -- cargo test --workspace --lib --bins --tests --no-fail-fast
    fi
}

doc_test() { cargo test --workspace --doc --quiet; }

# The suites under tests/ drive the built executable; each says in its own run.sh what it needs.
# With the tests beside them their dependencies have the same features, and are not compiled anew.
binary() { cargo build --workspace --bins --tests; }
suite() { bash "tests/$1/run.sh"; }

# The web app on the built executable, in Debian's Chromium; bounded, so that a hung browser is a failure and no standstill.
browser() {
    need_chromium && (cd web && npm run --silent build && npm run --silent size && timeout --kill-after=10 "${BROWSER_SECONDS:-600}" npm run --silent e2e)
}

# The same on roles as processes of their own against real servers, one deployment at a time; and a journey whose books are audited.
browser_distributed() (
    need_chromium && export TEST_SHAPE=distributed &&
        (cd web && timeout --kill-after=10 "${BROWSER_SECONDS:-900}" npm run --silent e2e:distributed) &&
        timeout --kill-after=10 "${BROWSER_SECONDS:-300}" python3 tests/stack.py -- node --test web/e2e/distributed.test.mjs
)

need_tools || exit 1
stage dependencies install_web
stage servers python3 scripts/servers.py install
stage web web_test
stage format format
stage lint lint
stage rust rust
stage doc doc_test
stage binary binary
stage browser browser
stage browser-distributed browser_distributed
stage sdk suite sdk
stage api suite api
stage statistics suite statistics
stage crash suite crash
stage distributed suite distributed
stage statistics-distributed env TEST_SHAPE=distributed bash tests/statistics/run.sh
stage sdk-distributed env TEST_SHAPE=distributed bash tests/sdk/run.sh

# What the last stage printed may still be on its way.
sleep 0.3
printf '\n==> summary\n'
for name in ${passed[@]+"${passed[@]}"}; do printf 'passed   %s\n' "$name"; done
for name in ${failed[@]+"${failed[@]}"}; do printf 'FAILED   %s\n' "$name"; done
printf 'stages: %d passed, %d failed\n' "${#passed[@]}" "${#failed[@]}"
for name in ${failed[@]+"${failed[@]}"}; do
    printf '\n==> the last lines of %s\n' "$name"
    tail -n "$LAST_LINES" "$logs/$name" | cut -c1-600
done
if ((${#passed[@]} + ${#failed[@]} == 0)); then
    printf 'no such stage: %s\n' "${wanted[*]}" >&2
    exit 2
fi
((${#failed[@]} == 0))
