#!/usr/bin/env bash
# The benchmarks, each beside its reference in the same run: the gateway against the mock asked directly and against nginx
# as a plain reverse proxy, memory of open streams, the same on roles of their own with real servers, and the crates' own
# benches. Ends by itself, in about half an hour.
#
# scripts/bench.sh [--quick] [http] [memory] [distributed] [crates] runs only what is named. Results: tables here, JSON in .cache/bench/.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
source scripts/tools.sh

# nginx's executable: the machine's, or Debian's package unpacked into .cache (installing it would start a web server).
find_nginx() {
    local unpacked="$PWD/.cache/nginx"
    NGINX="$(PATH="$PATH:/usr/sbin" command -v nginx || true)"
    if [[ -z $NGINX && ! -x $unpacked/usr/sbin/nginx ]] && command -v apt-get >/dev/null; then
        mkdir -p "$unpacked"
        if [[ $(id -u) -eq 0 ]]; then apt-get update -qq >/dev/null 2>&1 || true; fi
        (cd "$unpacked" && apt-get download -qq nginx >/dev/null 2>&1 && dpkg -x nginx_*.deb . && rm -f nginx_*.deb) || true
    fi
    if [[ -z $NGINX ]] && "$unpacked/usr/sbin/nginx" -v 2>/dev/null; then NGINX="$unpacked/usr/sbin/nginx"; fi
    [[ -n $NGINX ]] || say "nginx is not here (Debian: apt install nginx-light): its columns stay empty"
}

need_tools
find_nginx
ulimit -n "$(ulimit -Hn)"
cargo build --release --package tollgate --package tollgate-mock-provider --package tollgate-load
NGINX="$NGINX" PYTHONDONTWRITEBYTECODE=1 exec python3 scripts/bench.py "$@"
