#!/usr/bin/env bash
# Makes the secrets that compose.yaml mounts, once: what is there stays as it is. Prints where the management key stands.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077
folder=deploy/secrets
mkdir -p "$folder"

hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }
make() { [[ -s $folder/$1 ]] || printf '%s' "$2" >"$folder/$1"; }
secret() { cat "$folder/$1"; }

for server in postgres valkey nats clickhouse; do make "${server}_password" "$(hex 24)"; done
make secret_key "$(hex 32)"
make management_key "sk-tg-v1-$(hex 32)"
make database_url "postgres://tollgate:$(secret postgres_password)@postgres:5432/tollgate"
make events_url "nats://tollgate:$(secret nats_password)@nats-1:4222,nats-2:4222,nats-3:4222"
make balance_url "redis://:$(secret valkey_password)@valkey:6379"
make analytics_url "clickhouse://tollgate:$(secret clickhouse_password)@clickhouse:8123/tollgate"
# The folder is private here; inside the containers each file is read by a user of its own.
chmod 0644 "$folder"/* && chmod 0700 "$folder"
printf 'management key: %s/management_key\n' "$folder"
