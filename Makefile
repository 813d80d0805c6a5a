# Everything a person types. What each target promises stands in README.md.

.DEFAULT_GOAL := help
SHELL := /bin/bash
RUN_ARGS ?= --new-key

.PHONY: help run web test check bench soak stack stack-down clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

run: web ## build everything, start Tollgate on http://127.0.0.1:8080 with the demo channel
	cargo build --release --package tollgate
	exec "$${CARGO_TARGET_DIR:-target}/release/tollgate" serve $(RUN_ARGS)

web: web/dist/index.html ## build the web app into web/dist, when something of it changed

# A release embeds what stands in web/dist: building it anew for nothing would compile the gateway again.
WEB_SOURCES := $(shell find web/src web/public web/*.html web/*.ts web/*.json -type f 2>/dev/null)

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

test: ## the whole proof, from nothing; exits non-zero on any failure
	scripts/test.sh

stack: web ## start the distributed deployment: private servers and a process for every role
	cargo build --release --package tollgate
	python3 scripts/stack.py up

stack-down: ## stop what `make stack` started; its data stays in .stack
	python3 scripts/stack.py down

check: web/node_modules/.package-lock.json ## formatting, lints, types, dependencies and licences
	scripts/check.sh

bench: ## the benchmarks, each beside its reference
	scripts/bench.sh

soak: ## the long proofs with their full figures: hundreds of kills, minutes of outage, a million events; some hours
	cargo build --package tollgate --package tollgate-mock-provider
	CRASH_ROUNDS=200 tests/crash/run.sh
	TOLLGATE_TEST_GATE_OPERATIONS=1000000 python3 scripts/servers.py run -- cargo test --package tollgate-ledger --test it -- same_as_memory
	FAULT_ROUNDS=34 FAULT_NATS_SECONDS=60 FAULT_CLICKHOUSE_SECONDS=60 tests/distributed/run.sh
	TOLLGATE_TEST_EVENTS=1000000 python3 scripts/servers.py run -- cargo test --workspace --test it -- replays one_worker_or_sixteen one_projector_or_sixteen

clean: ## remove what the build made; never touches a data folder
	cargo clean
	rm -rf web/node_modules .cache
	find web/dist -mindepth 1 ! -name .gitkeep -delete
