# Loaded by every file of tests/bash: a sandbox, stub programs, a server to start, assertions.
# shellcheck shell=bash
#
# Scripts run in an empty environment (`clean`): folders below $BATS_TEST_TMPDIR, and a PATH of stub
# programs before links to a few named tools. What the machine has besides cannot reach a test.

bats_require_minimum_version 1.5.0
REPO="$(cd "$BATS_TEST_DIRNAME/../.." && pwd -P)"
REAL_RAG="${VENVS_DIR:-$HOME/.venvs}/rag"

# prepare_file: once a file; the tools of PATH, python3 without a shim of pyenv before it.
prepare_file() {
    export CORE="$BATS_FILE_TMPDIR/core" REAL_PYTHON SERVER_PY="$BATS_FILE_TMPDIR/vllm_server.py"
    local tool path
    REAL_PYTHON="$(readlink -f "$REAL_RAG/bin/python")"
    mkdir -p "$CORE"
    for tool in awk basename bash cat chmod cp cut date df dirname env flock grep head kill ln ls mkdir mktemp mv \
        readlink rm sed setsid sh sleep sort ss tail timeout touch tr uname wc; do
        path="$(type -P "$tool")" && ln -s "$path" "$CORE/$tool"
    done
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$REAL_PYTHON" >"$CORE/python3"
    chmod +x "$CORE/python3"
    write_server
}

# sandbox: once a test.
sandbox() {
    BOX="$BATS_TEST_TMPDIR/box" STUBS="$BATS_TEST_TMPDIR/stubs"
    VENVS="$BOX/venvs" RUN="$BOX/run" RECORD="$BOX/record"
    mkdir -p "$STUBS" "$BOX/home" "$VENVS" "$RUN" "$RECORD" "$BOX/tmp"
    STARTED=()
    CLEAN=(env -i PATH="$STUBS:$CORE" HOME="$BOX/home" TMPDIR="$BOX/tmp" LC_ALL=C.UTF-8 REPO="$REPO" RECORD="$RECORD"
        VENVS_DIR="$VENVS" RUN_DIR="$RUN" RAG_HOME="$BOX/rag" SCIFI_LLM_CACHE="$BOX/cache" SERVER_PY="$SERVER_PY")
}

# clean [NAME=VALUE…] COMMAND…: run it in the sandbox's environment alone.
clean() { "${CLEAN[@]}" "$@" </dev/null; }

# lib [NAME=VALUE…] -- COMMAND WORD…: run a function of lib/. A single word is a line of bash.
lib() {
    local settings=()
    while [[ $1 != -- ]]; do
        settings+=("$1")
        shift
    done
    shift
    # shellcheck disable=SC2016  # the child expands it
    clean "${settings[@]}" bash -c 'set -euo pipefail
        for file in common server venv llm; do source "$REPO/lib/$file.sh"; done
        if (($# > 1)); then "$@"; else eval "$1"; fi' probe "$@"
}

# stub NAME: a program of the sandbox's PATH; its body is read from stdin.
stub() { program "$STUBS/$1"; }

# program PATH: an executable bash script; its body is read from stdin.
program() {
    mkdir -p "$(dirname "$1")"
    { printf '#!%s\n' "$CORE/bash" && cat; } >"$1"
    chmod +x "$1"
}

# background COMMAND…: in a session of its own, ended by clean_up; its pid is $!.
background() {
    setsid "$@" 3>&- 4>&- &
    STARTED+=("$!")
    disown # bash is not to report its end
}

# gone PID: the other way round, for wait_for.
gone() { if alive "$1"; then return 1; fi; }

# clean_up: end every process that a test started, by its pid and pid file.
clean_up() {
    local pid file started
    for pid in "${STARTED[@]}"; do
        kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
    done
    for file in "$RUN"/*.pid; do
        [[ -e $file ]] || continue
        read -r pid started _ <"$file" || continue
        [[ $started == "$(ticks "$pid")" ]] || continue
        kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
    done
}

# ticks PID: field 22 of /proc/PID/stat, read another way than lib/server.sh does.
ticks() { sed -E 's/^.*\) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# alive PID: is it a process that still runs?
alive() { [[ $(sed -E 's/^.*\) (.).*/\1/' "/proc/$1/stat" 2>/dev/null) == [^ZX] ]]; }

# free_port: print a port below the range that the system gives out by itself.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    printf '%s' "$port"
}

# wait_for COMMAND…: until it succeeds, for 10 seconds.
wait_for() {
    local _
    for _ in {1..200}; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.05
    done
    echo "never came true: $*" >&2
    return 1
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# occupy PORT: a stranger's server on it.
occupy() {
    background "$REAL_PYTHON" -I "$SERVER_PY" --port "$1"
    wait_for listens "$1"
}

# owner PID: how messages name the program on a port, where this machine has ss to tell.
owner() { [[ ! -e $CORE/ss ]] || printf ' (%s, pid %s)' "$(cat "/proc/$1/comm")" "$1"; }

# write_server: a program that answers 200 on /health and /v1/models and ends by itself after 60 s.
# SERVE_CHILD=FILE starts a child and writes its pid there; SERVE_STUBBORN=1 ignores SIGTERM.
write_server() {
    cat >"$SERVER_PY" <<'PY'
import http.server, os, signal, subprocess, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/health", "/v1/models") else 404)
        self.end_headers()

    def log_message(self, *words):
        pass

if os.environ.get("SERVE_STUBBORN"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.environ.get("SERVE_CHILD"):
    child = subprocess.Popen(["vllm-child", "60"], executable="sleep")
    with open(os.environ["SERVE_CHILD"], "w") as file:
        file.write(str(child.pid))
threading.Timer(60, os._exit, [0]).start()
words = sys.argv
host = words[words.index("--host") + 1] if "--host" in words else "127.0.0.1"
http.server.ThreadingHTTPServer((host, int(words[words.index("--port") + 1])), Handler).serve_forever()
PY
}

# copy_repo FOLDER: a copy of the scripts, to be changed.
copy_repo() {
    mkdir -p "$1/RAG" "$1/vllm"
    cp "$REPO"/*.sh "$1"
    cp -R "$REPO/lib" "$REPO/src" "$REPO/requirements" "$1"
    cp -R "$REPO/RAG/setup" "$1/RAG"
    cp -R "$REPO/vllm/setup" "$1/vllm"
}

# --- assertions, upon what `run --separate-stderr` left -------------------------------------------

# same WHAT EXPECTED ACTUAL
same() {
    [[ $2 == "$3" ]] && return
    printf -- '--- %s, expected:\n%s\n--- got:\n%s\n' "$1" "$2" "$3" >&2
    return 1
}

# shellcheck disable=SC2154  # `run` sets status, output and stderr
ends_with_status() {
    ((status == $1)) && return
    printf 'status %s instead of %s\n--- stdout:\n%s\n--- stderr:\n%s\n' "$status" "$1" "$output" "${stderr-}" >&2
    return 1
}

stdout_is() { same stdout "$1" "$output"; }
# shellcheck disable=SC2154
stderr_is() { same stderr "$1" "$stderr"; }

# has_line WHAT LINE TEXT: one line of the text is exactly this.
has_line() {
    grep -qxF -- "$2" <<<"$3" && return
    printf -- '--- %s has no line:\n%s\n--- it is:\n%s\n' "$1" "$2" "$3" >&2
    return 1
}
stdout_has() { has_line stdout "$1" "$output"; }
stderr_has() { has_line stderr "$1" "$stderr"; }

# fails_with MESSAGE: status 1, and this is the one [ERROR].
fails_with() {
    ends_with_status 1 && stderr_has "[ERROR] $1" && same "number of errors" 1 "$(grep -c '^\[ERROR\]' <<<"$stderr")"
}

# only_fails_with MESSAGE: status 1, this error, and nothing besides on either stream.
only_fails_with() { ends_with_status 1 && stderr_is "[ERROR] $1" && stdout_is ""; }
