# Sourced by the other scripts: what must be on the machine before anything runs.

NODE_MIN="20.19"

say() { printf '%s\n' "$*" >&2; }

# Installs Debian packages when this is root on a machine with apt; false otherwise.
apt_install() {
    [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null || return 1
    say "installing with apt: $*"
    DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null 2>&1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# need COMMAND PACKAGE…: the command, installed from its packages when it is missing.
need() {
    local command="$1"
    shift
    command -v "$command" >/dev/null || apt_install "$@" && command -v "$command" >/dev/null && return 0
    say "missing: $command (Debian: apt install $*)"
    return 1
}

node_is_recent() {
    node -e 'const [a, b] = process.argv[1].split(".").map(Number), [x, y] = process.versions.node.split(".").map(Number); process.exit(x > a || (x === a && y >= b) ? 0 : 1)' "$NODE_MIN"
}

python_has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

need_tools() {
    local ok=0
    [[ -d $HOME/.cargo/bin ]] && PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || { say "missing: cargo; install the toolchain named in rust-toolchain.toml with rustup"; ok=1; }
    need cc build-essential || ok=1
    need curl curl || ok=1
    need python3 python3 python3-venv || ok=1
    python_has_venv || apt_install python3-venv || { say "missing: python3's venv module (Debian: apt install python3-venv)"; ok=1; }
    # A wish: without it the suite of the distributed deployment says that no clock was set wrong.
    command -v faketime >/dev/null || apt_install faketime || true
    if ! command -v node >/dev/null || ! node_is_recent; then say "missing: node $NODE_MIN or newer with npm"; ok=1; fi
    return "$ok"
}

# The web app's dependencies, exactly those of the lock file.
install_web() {
    local installed=web/node_modules/.package-lock.json
    [[ -f $installed && ! web/package-lock.json -nt $installed ]] && return 0
    (cd web && npm ci --no-audit --no-fund) && touch "$installed"
}

# A browser for the web app's own tests; CHROMIUM_BIN names another one.
need_chromium() {
    [[ -n ${CHROMIUM_BIN:-} ]] && return 0
    need chromium chromium fonts-noto-cjk
}

# python_with NAME PINS: a Python of its own in .cache/NAME with exactly the packages of a requirements file; prints its path.
python_with() {
    local venv=".cache/$1" pins="$2"
    if ! cmp -s "$pins" "$venv/installed.txt"; then
        rm -rf "$venv"
        python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$pins" >&2 || return 1
        cp "$pins" "$venv/installed.txt"
    fi
    printf '%s\n' "$venv/bin/python"
}
