#!/usr/bin/env bats
# serve_rag_proxy.sh: arguments, start and stop. The proxy itself is a stub; tests/scripts has the real one.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

setup_file() { prepare_file; }
setup() {
    sandbox
    PORT="$(free_port)"
}
teardown() { clean_up; }

proxy() { run --separate-stderr clean "$@"; }

# rag_stub: ~/.venvs/rag, whose python writes down each call and serves.
rag_stub() {
    program "$VENVS/rag/bin/python" <<'SH'
[[ $1 != -c ]] || exit 0
printf '<%s>' "$@" >>"$RECORD/calls"
echo >>"$RECORD/calls"
[[ ${@: -1} != --check ]] || { if [[ $2 == --* ]]; then echo last_written; else echo "$2"; fi; exit 0; }
[[ -z ${SERVE:-} ]] || exec python3 -I "$SERVER_PY" "$@"
SH
}

@test "arguments that cannot be are one error each" {
    proxy "$REPO/serve_rag_proxy.sh" one two
    only_fails_with "Two collections: one and two. Name one."
    proxy "$REPO/serve_rag_proxy.sh" --port http
    only_fails_with "--port http is no port. Use one from 1 to 65535."
    proxy "$REPO/serve_rag_proxy.sh" --port -1
    only_fails_with "--port -1 is no port. Use one from 1 to 65535."
    proxy "$REPO/serve_rag_proxy.sh" --port 123456 --stop
    only_fails_with "--port 123456 is no port. Use one from 1 to 65535."
    proxy RAG_PORT=eighty "$REPO/serve_rag_proxy.sh"
    only_fails_with "--port eighty is no port. Use one from 1 to 65535."
}

@test "a port out of range is the same error" {
    local port
    ln -s "$REAL_RAG" "$VENVS/rag"
    for port in 0 65536; do
        proxy "$REPO/serve_rag_proxy.sh" --port $port
        only_fails_with "--port $port is no port. Use one from 1 to 65535."
    done
}

@test "without the environment one error names what makes it" {
    proxy "$REPO/serve_rag_proxy.sh" scifi_world --port "$PORT"
    only_fails_with "$VENVS/rag does not exist or is broken. Create it with: RAG/0_create_venv_with_deps.sh"
}

@test "--stop exits 0 where nothing runs, without the environment" {
    proxy "$REPO/serve_rag_proxy.sh" --stop --port "$PORT"
    ends_with_status 0
    stdout_is "[OK] RAG proxy on port $PORT is not running."
    stderr_is ""
    proxy RAG_PORT="$PORT" "$REPO/serve_rag_proxy.sh" --stop
    ends_with_status 0
    stdout_is "[OK] RAG proxy on port $PORT is not running."
}

@test "--watch reaches the proxy, with and without a folder" {
    rag_stub
    proxy "$REPO/serve_rag_proxy.sh" novel --port "$PORT" --watch
    proxy "$REPO/serve_rag_proxy.sh" novel --port "$PORT" "--watch=$BOX/my notes"
    same "calls" "<$REPO/RAG/serve_rag_proxy.py><novel><--port><$PORT><--watch>
<$REPO/RAG/serve_rag_proxy.py><novel><--port><$PORT><--watch=$BOX/my notes>" "$(grep -v -e --check "$RECORD/calls")"
}

@test "collection, port and upstream reach the proxy" {
    rag_stub
    proxy "$REPO/serve_rag_proxy.sh" "my canon" --port "$PORT" --upstream "http://127.0.0.1:9/v1"
    ends_with_status 0
    same "calls" "<$REPO/RAG/serve_rag_proxy.py><my canon><--port><$PORT><--upstream><http://127.0.0.1:9/v1><--check>
<$REPO/RAG/serve_rag_proxy.py><my canon><--port><$PORT><--upstream><http://127.0.0.1:9/v1>" "$(cat "$RECORD/calls")"
}

@test "log options reach the proxy" {
    rag_stub
    proxy "$REPO/serve_rag_proxy.sh" novel --port "$PORT" --log-level info --log-format json --log-text
    ends_with_status 0
    same "calls" "<$REPO/RAG/serve_rag_proxy.py><novel><--port><$PORT><--log-level><info><--log-format><json><--log-text><--check>
<$REPO/RAG/serve_rag_proxy.py><novel><--port><$PORT><--log-level><info><--log-format><json><--log-text>" "$(cat "$RECORD/calls")"
    proxy "$REPO/serve_rag_proxy.sh" --log-level
    only_fails_with "--log-level needs a value. See: $REPO/serve_rag_proxy.sh --help"
}

@test "--stop works whatever RAG_DRAIN_SECONDS holds" {
    local seconds
    for seconds in 0 0.5 08 x; do
        proxy RAG_DRAIN_SECONDS="$seconds" "$REPO/serve_rag_proxy.sh" --stop --port "$PORT"
        ends_with_status 0
        stdout_is "[OK] RAG proxy on port $PORT is not running."
    done
}

@test "what is not named is left to the proxy" {
    rag_stub
    proxy RAG_PORT="$PORT" "$REPO/serve_rag_proxy.sh"
    ends_with_status 0
    same "calls" "<$REPO/RAG/serve_rag_proxy.py><--port><$PORT><--check>
<$REPO/RAG/serve_rag_proxy.py><--port><$PORT>" "$(cat "$RECORD/calls")"
}

@test "settings that the proxy refuses end the script before anything is started" {
    program "$VENVS/rag/bin/python" <<<'[[ $1 == -c ]] || { echo "[ERROR] There is no collection x." >&2; exit 1; }'
    proxy "$REPO/serve_rag_proxy.sh" x --port "$PORT" --detach
    only_fails_with "There is no collection x."
    same "pid and log files" "" "$(find "$RUN" -type f)"
}

@test "a port that a stranger has is one error that names the stranger" {
    rag_stub
    occupy "$PORT"
    proxy "$REPO/serve_rag_proxy.sh" scifi_world --port "$PORT" --detach
    only_fails_with "Port $PORT is taken by another program$(owner "${STARTED[0]}"). Stop that program or choose another port (see: $REPO/serve_rag_proxy.sh --help)."
}

@test "--detach starts it once; a second start says what runs; --stop ends it" {
    local pid
    rag_stub
    proxy SERVE=1 "$REPO/serve_rag_proxy.sh" --port "$PORT" --detach
    ends_with_status 0
    stderr_is ""
    pid="$(cut -d ' ' -f 1 "$RUN/proxy-$PORT.pid")"
    [[ $output =~ ^"[TEST] Starting the RAG proxy on http://127.0.0.1:$PORT/v1"$'\n'"[OK] The RAG proxy is ready after "[0-9]+" s (pid $pid, log $RUN/proxy-$PORT.log)"$'\n'"[OK] Next: point an editor at http://localhost:$PORT/v1"$ ]]
    alive "$pid"

    proxy SERVE=1 "$REPO/serve_rag_proxy.sh" last_written --port "$PORT"
    ends_with_status 0
    stdout_is "[OK] The RAG proxy is already started with last_written (pid $pid, port $PORT, log $RUN/proxy-$PORT.log)."
    stderr_is ""
    proxy SERVE=1 "$REPO/serve_rag_proxy.sh" other_book --port "$PORT"
    ends_with_status 0
    stderr_is "[WARN] It was not started with other_book. Stop it first for that."

    proxy "$REPO/serve_rag_proxy.sh" --stop --port "$PORT"
    ends_with_status 0
    [[ $output =~ ^"[OK] RAG proxy on port $PORT stopped (pid $pid, "[0-9]+" s)."$ ]]
    stderr_is ""
    run alive "$pid"
    ends_with_status 1
}

@test "--watch is never silently left out where a proxy already runs" {
    local pid
    rag_stub
    proxy SERVE=1 "$REPO/serve_rag_proxy.sh" novel --port "$PORT" --detach
    ends_with_status 0
    pid="$(cut -d ' ' -f 1 "$RUN/proxy-$PORT.pid")"
    proxy SERVE=1 "$REPO/serve_rag_proxy.sh" novel --port "$PORT" --watch --detach
    only_fails_with "The RAG proxy on port $PORT (pid $pid) was started without --watch. Start it anew: $REPO/serve_rag_proxy.sh --stop --port $PORT && $REPO/serve_rag_proxy.sh novel --port $PORT --watch --detach"
    alive "$pid"
    proxy "$REPO/serve_rag_proxy.sh" --stop --port "$PORT"

    proxy SERVE=1 "$REPO/serve_rag_proxy.sh" novel --port "$PORT" "--watch=$BOX/my notes" --detach
    ends_with_status 0
    pid="$(cut -d ' ' -f 1 "$RUN/proxy-$PORT.pid")"
    proxy SERVE=1 "$REPO/serve_rag_proxy.sh" novel --port "$PORT" "--watch=$BOX/my notes" --detach
    ends_with_status 0
    stdout_is "[OK] The RAG proxy is already started with novel (pid $pid, port $PORT, log $RUN/proxy-$PORT.log)."$'\n'"[OK] The RAG proxy is ready after 0 s (pid $pid, log $RUN/proxy-$PORT.log)"
    proxy SERVE=1 "$REPO/serve_rag_proxy.sh" novel --port "$PORT" "--watch=$BOX/others" --detach
    ends_with_status 1
    [[ $stderr == "[ERROR] The RAG proxy on port $PORT (pid $pid) was started without --watch=$BOX/others. Start it anew: "* ]]
    proxy SERVE=1 "$REPO/serve_rag_proxy.sh" novel --port "$PORT" --detach
    ends_with_status 0
}

@test "a proxy in the foreground is stopped from another terminal" {
    rag_stub
    background "${CLEAN[@]}" SERVE=1 "$REPO/serve_rag_proxy.sh" scifi_world --port "$PORT" >"$BOX/out" 2>&1
    wait_for listens "$PORT"
    proxy "$REPO/serve_rag_proxy.sh" --stop --port "$PORT"
    ends_with_status 0
    [[ $output == "[OK] RAG proxy on port $PORT stopped (pid ${STARTED[0]}, "* ]]
    run alive "${STARTED[0]}"
    ends_with_status 1
}
