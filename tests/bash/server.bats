#!/usr/bin/env bats
# lib/server.sh and stop_vllm.sh: pid files, ports, readiness, stopping.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

setup_file() { prepare_file; }
setup() {
    sandbox
    PORT="$(free_port)" NAME="" URL=""
    NAME="vllm-$PORT" URL="http://127.0.0.1:$PORT"
}
teardown() { clean_up; }

# detached [NAME=VALUE…]: start the test's server as serve_vllm.sh does; PID is its pid.
detached() {
    lib "$@" -- start_detached "$NAME" some-model env "$REAL_PYTHON" -I "$SERVER_PY" --port "$PORT"
    wait_for listens "$PORT"
    PID="$(cut -d ' ' -f 1 "$RUN/$NAME.pid")"
}

# sleeper: a process that is nobody's server; PID is its pid.
sleeper() {
    background bash -c 'exec -a vllm-stand-in "$0" 60' "$CORE/sleep"
    PID=$!
    wait_for grep -q stand-in "/proc/$PID/cmdline"
    wait_for test "$(ticks "$PID")"
}

# --- pid files -----------------------------------------------------------------------------------

@test "a pid file holds pid, start time and what is served" {
    sleeper
    run --separate-stderr lib -- write_pid "$NAME" "$PID" "my model of 7B"
    ends_with_status 0
    same "pid file" "$PID $(ticks "$PID") my model of 7B" "$(cat "$RUN/$NAME.pid")"
    run --separate-stderr lib -- running_pid "$NAME"
    stdout_is "$PID"
    run --separate-stderr lib -- served_by "$NAME"
    stdout_is "my model of 7B"
}

@test "a pid that now belongs to another program is not ours and is not killed" {
    sleeper
    echo "$PID $(($(ticks "$PID") - 5)) some-model" >"$RUN/$NAME.pid"
    run --separate-stderr lib -- running_pid "$NAME"
    ends_with_status 1
    stdout_is ""
    run --separate-stderr clean "$REPO/stop_vllm.sh" "$PORT"
    ends_with_status 0
    stdout_is $'[OK] vLLM on port '"$PORT"$' is not running.\n[OK] Port '"$PORT is free."
    alive "$PID"
    [[ ! -e $RUN/$NAME.pid ]]
}

@test "a pid whose command line is not that of such a server is not ours" {
    background "$CORE/sleep" 60
    PID=$!
    wait_for grep -q sleep "/proc/$PID/cmdline"
    lib -- write_pid "$NAME" "$PID" some-model
    run --separate-stderr clean "$REPO/stop_vllm.sh" "$PORT"
    ends_with_status 0
    stdout_has "[OK] vLLM on port $PORT is not running."
    alive "$PID"
}

@test "the pid of a program that has ended is not running" {
    sleeper
    lib -- write_pid "$NAME" "$PID" some-model
    kill -KILL "$PID"
    wait_for gone "$PID"
    run --separate-stderr lib -- running_pid "$NAME"
    ends_with_status 1
    stdout_is ""
    stderr_is ""
    run --separate-stderr lib -- stop_server "$NAME" "The server" 5
    ends_with_status 0
    stdout_is "[OK] The server is not running."
    [[ ! -e $RUN/$NAME.pid ]]
}

@test "an empty or torn pid file is not running" {
    local content
    for content in "" "12" "what is this"; do
        printf '%s' "$content" >"$RUN/$NAME.pid"
        run --separate-stderr lib -- stop_server "$NAME" "The server" 5
        ends_with_status 0
        stdout_is "[OK] The server is not running."
        stderr_is ""
    done
}

@test "a program's name with spaces and brackets does not confuse its start time" {
    background "$REAL_PYTHON" -I -c 'import time; open("/proc/self/comm", "w").write("a) Z (b) 1 2 3"); time.sleep(60)'
    PID=$!
    wait_for grep -qF 'a) Z (b) 1 2 3' "/proc/$PID/comm"
    run --separate-stderr lib -- start_time "$PID"
    ends_with_status 0
    stdout_is "$("$REAL_PYTHON" -I -c 'import sys; print(open(f"/proc/{sys.argv[1]}/stat").read().rpartition(") ")[2].split()[19])' "$PID")"
}

# --- stopping ------------------------------------------------------------------------------------

@test "stopping nothing exits 0 and says so" {
    run --separate-stderr clean "$REPO/stop_vllm.sh" "$PORT"
    ends_with_status 0
    stdout_is $'[OK] vLLM on port '"$PORT"$' is not running.\n[OK] Port '"$PORT is free."
    stderr_is ""
}

@test "stop_vllm.sh takes VLLM_PORT where it is given no port" {
    run --separate-stderr clean VLLM_PORT="$PORT" "$REPO/stop_vllm.sh"
    ends_with_status 0
    stdout_has "[OK] Port $PORT is free."
}

@test "stop_vllm.sh refuses words that are no numbers" {
    run --separate-stderr clean "$REPO/stop_vllm.sh" eighty
    only_fails_with "PORT and SECONDS must be whole numbers. See: $REPO/stop_vllm.sh --help"
    run --separate-stderr clean "$REPO/stop_vllm.sh" "$PORT" --timeout 1.5
    only_fails_with "PORT and SECONDS must be whole numbers. See: $REPO/stop_vllm.sh --help"
}

@test "a server ends by SIGTERM, with its children; a stranger survives" {
    local child stranger
    sleeper
    stranger=$PID
    detached SERVE_CHILD="$BOX/child"
    wait_for test -s "$BOX/child"
    child="$(cat "$BOX/child")"
    alive "$child"
    run --separate-stderr clean "$REPO/stop_vllm.sh" "$PORT"
    ends_with_status 0
    [[ $output =~ ^"[OK] vLLM on port $PORT stopped (pid $PID, "[0-9]+" s)."$'\n'"[OK] Port $PORT is free."$ ]]
    stderr_is ""
    run alive "$PID"
    ends_with_status 1
    run alive "$child"
    ends_with_status 1
    alive "$stranger"
    [[ ! -e $RUN/$NAME.pid ]]
}

@test "a server that ignores SIGTERM is killed after the limit, with its children" {
    local child
    detached SERVE_STUBBORN=1 SERVE_CHILD="$BOX/child"
    wait_for test -s "$BOX/child"
    child="$(cat "$BOX/child")"
    run --separate-stderr clean "$REPO/stop_vllm.sh" "$PORT" --timeout 1
    ends_with_status 0
    stderr_is "[WARN] vLLM on port $PORT did not end within 5 s; killing it."
    [[ $output =~ ^"[OK] vLLM on port $PORT stopped (pid $PID, "[0-9]+" s)." ]]
    run alive "$PID"
    ends_with_status 1
    run alive "$child"
    ends_with_status 1
}

@test "a child that outlives its server's SIGTERM is killed too" {
    local child
    lib -- start_detached "$NAME" some-model bash -c 'bash -c "trap \"\" TERM; while :; do sleep 0.2; done" & echo $! >"$RECORD/child"; wait # vllm'
    PID="$(cut -d ' ' -f 1 "$RUN/$NAME.pid")"
    wait_for test -s "$RECORD/child"
    child="$(cat "$RECORD/child")"
    STARTED+=("$child")
    sleep 0.3
    run --separate-stderr lib -- stop_server "$NAME" "The server" 1
    ends_with_status 0
    stderr_is "[WARN] The server did not end within 1 s; killing it."
    run alive "$child"
    ends_with_status 1
}

@test "a server whose parent does not take note of its end counts as ended" {
    # Such as a server inside a container whose first process reaps nothing.
    background "$REAL_PYTHON" -I -c 'import subprocess, sys, time
print(subprocess.Popen(["vllm", "60"], executable="sleep", start_new_session=True).pid, flush=True)
time.sleep(60)' >"$BOX/pid"
    wait_for test -s "$BOX/pid"
    PID="$(cat "$BOX/pid")"
    STARTED+=("$PID")
    lib -- write_pid "$NAME" "$PID" some-model
    run --separate-stderr clean timeout 5 "$REPO/stop_vllm.sh" "$PORT" --timeout 1
    ends_with_status 0
    stderr_is ""
    run alive "$PID"
    ends_with_status 1
}

@test "stop_vllm.sh names a stranger on the port and leaves it alone" {
    occupy "$PORT"
    PID="${STARTED[0]}"
    run --separate-stderr clean "$REPO/stop_vllm.sh" "$PORT"
    ends_with_status 0
    stdout_is "[OK] vLLM on port $PORT is not running."
    stderr_is "[WARN] Port $PORT is still taken by a program that serve_vllm.sh did not start$(owner "$PID")."
    alive "$PID"
}

# --- starting ------------------------------------------------------------------------------------

@test "a detached server has a pid file, a log, a session of its own and no lock of its starter" {
    run --separate-stderr lib -- 'exec 8>"$RUN_DIR/eight" 9>"$RUN_DIR/nine"; flock 8; flock 9
        start_detached the-server some-model bash -c "echo started; exec sleep 60"'
    ends_with_status 0
    stdout_is ""
    stderr_is ""
    PID="$(cut -d ' ' -f 1 "$RUN/the-server.pid")"
    alive "$PID"
    wait_for grep -qx started "$RUN/the-server.log"
    same "its session" "$PID" "$(sed -E 's/^.*\) //' "/proc/$PID/stat" | cut -d ' ' -f 4)"
    flock --nonblock "$RUN/eight" true
    flock --nonblock "$RUN/nine" true
}

@test "wait_ready ends as soon as the server answers" {
    detached
    run --separate-stderr lib -- wait_ready "$NAME" vLLM "$URL/health" 10
    ends_with_status 0
    [[ $output =~ ^"[OK] vLLM is ready after "[0-9]+" s (pid $PID, log $RUN/$NAME.log)"$ ]]
    stderr_is ""
}

@test "wait_ready does not ask a proxy of the environment for this machine's own port" {
    detached
    run --separate-stderr lib http_proxy=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 -- wait_ready "$NAME" vLLM "$URL/health" 3
    ends_with_status 0
}

@test "wait_ready shows the log's end where the server dies" {
    run --separate-stderr lib -- 'start_detached s some-model bash -c "printf \"line %s\n\" {1..20}; sleep 0.5; exit 3"
        wait_ready s vLLM http://127.0.0.1:9/health 30; echo "went on"'
    ends_with_status 1
    stdout_is ""
    stderr_is "$(printf 'line %s\n' {6..20})
[ERROR] vLLM ended before it was ready; the last lines of $RUN/s.log are above."
}

@test "wait_ready gives up after its limit and names the log" {
    sleeper
    lib -- write_pid "$NAME" "$PID" some-model
    run --separate-stderr lib -- wait_ready "$NAME" vLLM "$URL/health" 1
    only_fails_with "vLLM did not answer within 1 s. Read: tail -n 50 $RUN/$NAME.log"
    alive "$PID"
}

@test "a failing answer is not ready" {
    detached
    run --separate-stderr lib -- http_ok "$URL/nothing-here"
    ends_with_status 1
    run --separate-stderr lib -- http_ok "$URL/v1/models"
    ends_with_status 0
}

@test "readiness is seen where python3 is a shim of pyenv with nothing behind it" {
    detached
    stub python3 <<<'echo "pyenv: python3: command not found" >&2; exit 127'
    run --separate-stderr lib -- wait_ready "$NAME" vLLM "$URL/health" 2
    ends_with_status 0
}

@test "refuse_second lets a free port pass" {
    run --separate-stderr lib -- 'refuse_second s vLLM '"$PORT $URL"'/health some-model; echo "went on"'
    ends_with_status 0
    stdout_is "went on"
    stderr_is ""
}

@test "refuse_second says what runs already and exits 0" {
    detached
    run --separate-stderr lib -- "refuse_second $NAME vLLM $PORT $URL/health some-model; echo went on"
    ends_with_status 0
    stdout_is "[OK] vLLM is already started with some-model (pid $PID, port $PORT, log $RUN/$NAME.log)."
    stderr_is ""
    run --separate-stderr lib -- "refuse_second $NAME vLLM $PORT $URL/health other-model; echo went on"
    ends_with_status 0
    stdout_is "[OK] vLLM is already started with some-model (pid $PID, port $PORT, log $RUN/$NAME.log)."
    stderr_is "[WARN] It was not started with other-model. Stop it first for that."
}

@test "refuse_second names the stranger that has the port" {
    occupy "$PORT"
    PID="${STARTED[0]}"
    run --separate-stderr lib -- refuse_second "$NAME" vLLM "$PORT" "$URL/health" some-model
    only_fails_with "Port $PORT is taken by another program$(owner "$PID"). Stop that program or choose another port (see: probe --help)."
    alive "$PID"
}

@test "a stranger on the port is an error where ss tells nothing, too" {
    occupy "$PORT"
    stub ss <<<'exit 127'
    run --separate-stderr lib -- refuse_second "$NAME" vLLM "$PORT" "$URL/health" some-model
    only_fails_with "Port $PORT is taken by another program. Stop that program or choose another port (see: probe --help)."
}

@test "what a killed server left running is ended by the next stop, a stranger is not" {
    local child stranger
    sleeper
    stranger=$PID
    detached SERVE_CHILD="$BOX/child"
    wait_for test -s "$BOX/child"
    child="$(cat "$BOX/child")"
    kill -KILL "$PID"
    wait_for gone "$PID"
    alive "$child"
    run --separate-stderr clean "$REPO/stop_vllm.sh" "$PORT"
    ends_with_status 0
    stderr_is "[WARN] vLLM on port $PORT was killed; ending what it left running (pids $child)."
    stdout_has "[OK] vLLM on port $PORT is not running."
    wait_for gone "$child"
    alive "$stranger"
}

@test "a log that cannot be written is one error" {
    PATH="/usr/sbin:/usr/bin:/bin" unshare --map-root-user --mount true 2>/dev/null || skip "unshare with mount namespaces"
    cat >"$BOX/full" <<'SH'
PATH="$PATH:/usr/sbin:/usr/bin:/bin"
mount -t tmpfs -o size=4k tmpfs "$RUN_DIR"
head -c 100000 /dev/zero >"$RUN_DIR/filler" 2>/dev/null
source "$REPO/lib/common.sh"; source "$REPO/lib/server.sh"
start_detached "$1" some-model sleep 60
wait_ready "$1" "vLLM" "http://127.0.0.1:9/health" 5
SH
    run --separate-stderr clean "$(PATH="/usr/sbin:/usr/bin:/bin" type -P unshare)" --map-root-user --mount bash "$BOX/full" "$NAME"
    ends_with_status 1
    stderr_is "[ERROR] The log $RUN/$NAME.log cannot be written. Free some disk space (see: df -h $RUN), or put logs elsewhere: RUN_DIR=DIR"
}
