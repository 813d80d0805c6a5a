#!/usr/bin/env bash
# Formatting, lints, types, dependencies and licences: what a reviewer need not look for.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
(cd web && npm run --silent lint && npm run --silent typecheck)
if cargo deny --version >/dev/null 2>&1; then
    cargo deny --offline check bans licenses sources
else
    echo "cargo-deny is not installed (cargo install --locked cargo-deny): licences were not checked" >&2
fi
cargo test --quiet --package tollgate --test it -- dependencies
