#!/usr/bin/env bats
# monitor_vllm.sh: help, wrong arguments, and no server. The llm environment has the rag packages.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

setup_file() {
    prepare_file
    export TEMPLATE="$BATS_FILE_TMPDIR/llm"
    "$REAL_PYTHON" -m venv --without-pip "$TEMPLATE"
    local site=("$TEMPLATE"/lib/python3*/site-packages)
    printf '%s\n' "$REAL_RAG"/lib/python3*/site-packages >"${site[0]}/rag.pth"
}
setup() {
    sandbox
    PORT="$(free_port)"
}
teardown() { clean_up; }

environment() { ln -s "$TEMPLATE" "$VENVS/llm"; }
monitor() { run --separate-stderr clean RAG_PORT="$(free_port)" "$@"; }
absent() { printf 'No vLLM answers at http://127.0.0.1:%s. Start it with: VLLM_PORT=%s ./serve_vllm.sh' "$1" "$1"; }

# metrics_server TOKENS: a vLLM as far as /metrics goes, which counts TOKENS more at each look.
metrics_server() {
    cat >"$BOX/metrics.py" <<'PY'
import http.server, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_GET(self):
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()
        if self.path == "/metrics":
            Handler.count += int(sys.argv[2])
            self.wfile.write(
                b'vllm:num_requests_running{engine="0",model_name="small"} 1.0\n'
                b'vllm:generation_tokens_total{engine="0",model_name="small"} %d.0\n' % Handler.count
            )

    def log_message(self, *words):
        pass

threading.Timer(60, lambda: __import__("os")._exit(0)).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PY
    background "$REAL_PYTHON" -I "$BOX/metrics.py" "$PORT" "$1"
    wait_for listens "$PORT"
}

@test "help is the header comment, without any environment" {
    monitor "$REPO/monitor_vllm.sh" --help
    ends_with_status 0
    stderr_is ""
    stdout_has "Usage: ./monitor_vllm.sh [PORT] [--interval SECONDS] [--once] [--json]"
    local wanted="$output"
    monitor "$REPO/monitor_vllm.sh" 8000 --once -h
    stdout_is "$wanted"
}

@test "the module's own help is answered by bare Python" {
    monitor "$REAL_PYTHON" -S -c "import sys; sys.path.insert(0, '$REPO/src'); sys.argv = ['x', '--help']
from scifi_llm.serving.monitor.main import main; main()"
    ends_with_status 0
    stdout_has "usage: monitor_vllm.sh [-h] [--interval SECONDS] [--once] [--json] [PORT]"
}

@test "without the environment the script that makes it is named" {
    monitor "$REPO/monitor_vllm.sh" --once
    only_fails_with "$VENVS/llm does not exist or is broken. Create it with: ./quickstart.sh"
}

@test "wrong arguments are one error and status 2" {
    environment
    local words wanted
    while IFS='|' read -r words wanted; do
        # shellcheck disable=SC2086  # two words where there are two
        monitor "$REPO/monitor_vllm.sh" $words
        ends_with_status 2
        stdout_is ""
        stderr_is "[ERROR] $wanted See: ./monitor_vllm.sh --help"
    done <<'ARGUMENTS'
http|PORT 'http' is not between 1 and 65535.
70000|PORT '70000' is not between 1 and 65535.
--interval 0.1|--interval is not a number between 0.2 and 3600.
--interval 4000|--interval is not a number between 0.2 and 3600.
--interval x|--interval is not a number between 0.2 and 3600.
--twice|Unrecognized arguments: --twice.
8000 9|Unrecognized arguments: 9.
ARGUMENTS
}

@test "--once without a server fails and names the command, in both forms, from any folder" {
    environment
    cd /
    monitor "$REPO/monitor_vllm.sh" "$PORT" --once
    only_fails_with "$(absent "$PORT")"
    monitor "$REPO/monitor_vllm.sh" --json --once "$PORT"
    only_fails_with "$(absent "$PORT")"
    monitor VLLM_PORT="$PORT" "$REPO/monitor_vllm.sh" --once
    only_fails_with "No vLLM answers at http://127.0.0.1:$PORT. Start it with: ./serve_vllm.sh"
}

@test "--once fails where something else answers" {
    environment
    occupy "$PORT"
    monitor "$REPO/monitor_vllm.sh" "$PORT" --once
    only_fails_with "$(absent "$PORT")"
}

@test "--once --json is one object and nothing else" {
    environment
    metrics_server 30
    monitor "$REPO/monitor_vllm.sh" "$PORT" --once --json --interval 0.2
    ends_with_status 0
    stderr_is ""
    same "objects" 1 "${#lines[@]}"
    same "tokens" "60 30 small" "$("$REAL_PYTHON" -c 'import json, sys; d = json.load(sys.stdin)
print(d["totals"]["generation_tokens"], d["deltas"]["generation_tokens"], d["model"])' <<<"$output")"
}

@test "--once prints the table" {
    environment
    metrics_server 30
    monitor "$REPO/monitor_vllm.sh" "$PORT" --once --interval 0.2
    ends_with_status 0
    stderr_is ""
    same "first line" small "${lines[0]% *}"
    [[ $output == *"Generated tokens"*30*60* ]]
}

@test "without a terminal: a line per interval, through an outage, until Ctrl+C" {
    environment
    background "${CLEAN[@]}" RAG_PORT="$(free_port)" "$REAL_PYTHON" -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # bash gives background jobs none
os.execv(sys.argv[1], sys.argv[1:])' "$REPO/monitor_vllm.sh" "$PORT" --interval 0.2 >"$BOX/out" 2>"$BOX/err"
    local pid=$!
    wait_for grep -q "down since .*: $(absent "$PORT")" "$BOX/out"
    metrics_server 30
    wait_for grep -qE '^[0-9:]{8} running 1 waiting 0 .*generation [1-9][0-9.,]* tok/s' "$BOX/out"
    kill -INT "$pid"
    wait_for gone "$pid"
    same stderr "" "$(cat "$BOX/err")"
}

@test "Ctrl+C and a closed pipe end it with status 0" {
    environment
    metrics_server 30
    monitor RC="$BOX/rc" PORT="$PORT" bash -c 'set -o pipefail
        "$REPO/monitor_vllm.sh" "$PORT" --json --interval 0.2 | head -n 2'
    ends_with_status 0
    same "objects" 2 "${#lines[@]}"
    monitor timeout --preserve-status -s INT 3 "$REPO/monitor_vllm.sh" "$PORT" --interval 0.2
    ends_with_status 0
    stderr_is ""
}
