#!/usr/bin/env bats
# quickstart.sh: arguments, the lock, the order of the stages. The stages themselves are stubs.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

setup_file() { prepare_file; }
setup() {
    sandbox
    PORT="$(free_port)" PORT2="$(free_port)"
}
teardown() { clean_up; }

quick() { run --separate-stderr clean VLLM_PORT="$PORT" RAG_PORT="$PORT2" "$@"; }

# staged: a copy whose stages only write down that they were called, and how.
staged() {
    local stage
    copy_repo "$BOX/repo"
    for stage in serve_vllm.sh serve_rag_proxy.sh RAG/setup/0_create_venv_with_deps.sh RAG/setup/1_ingest.py \
        RAG/setup/2_embed_and_store.py vllm/setup/{0_check_system,1_install_system_packages,2_create_venv,3_install_pytorch,4_install_vllm,5_install_flashinfer,6_download_model}.sh; do
        program "$BOX/repo/$stage" <<<'echo "${0##*/}${*:+ $*}" >>"$RECORD/calls"
[[ ${FAIL:-} != "${0##*/} "* ]] || exit "${FAIL##* }"
[[ ${SLOW:-} != "${0##*/}" ]] || sleep 30'
    done
    program "$VENVS/rag/bin/python" <<<'echo "python ${*}" >>"$RECORD/calls"; echo "She is brave."'
}

stages=(0_check_system.sh 0_create_venv_with_deps.sh 1_install_system_packages.sh 2_create_venv.sh 3_install_pytorch.sh
    4_install_vllm.sh 5_install_flashinfer.sh 6_download_model.sh 1_ingest.py "2_embed_and_store.py --collection scifi_world")

called() { same "what was called" "$(printf '%s\n' "$@")" "$(cat "$RECORD/calls")"; }

@test "an unknown argument is one error, and starts nothing" {
    quick "$REPO/quickstart.sh" --no-ask now
    only_fails_with "Unknown argument: now See: $REPO/quickstart.sh --help"
    same "files made" "" "$(find "$RUN" "$VENVS" -mindepth 1)"
}

@test "--stop says of both servers that they do not run, and exits 0" {
    quick "$REPO/quickstart.sh" --stop
    ends_with_status 0
    stdout_is "[OK] RAG proxy on port $PORT2 is not running.
[OK] vLLM on port $PORT is not running.
[OK] Port $PORT is free."
    stderr_is ""
}

@test "--stop stops both servers" {
    lib -- start_detached "vllm-$PORT" some-model "$REAL_PYTHON" -I "$SERVER_PY" --port "$PORT"
    lib -- start_detached "proxy-$PORT2" scifi_world "$REAL_PYTHON" -I "$SERVER_PY" --port "$PORT2" proxy
    wait_for listens "$PORT"
    wait_for listens "$PORT2"
    quick "$REPO/quickstart.sh" --stop
    ends_with_status 0
    [[ $output == "[OK] RAG proxy on port $PORT2 stopped "*"[OK] vLLM on port $PORT stopped "*"[OK] Port $PORT is free." ]]
    run listens "$PORT2"
    ends_with_status 1
}

@test "the stages run in order, with the ports, and end with the answer" {
    staged
    quick ENGINE=cpu "$BOX/repo/quickstart.sh"
    ends_with_status 0
    stderr_is ""
    called "${stages[@]}" "serve_vllm.sh --detach" \
        "serve_rag_proxy.sh scifi_world --port $PORT2 --upstream http://127.0.0.1:$PORT/v1 --detach" \
        "python -m scifi_llm.ask --base-url http://127.0.0.1:$PORT2/v1 What are Elena's key traits?"
    stdout_has "Question: What are Elena's key traits?"
    stdout_has "She is brave."
    stdout_has "[OK] Both servers are running. What to do next:"
    same "stages" "$(printf '[TEST] Stage %s/8\n' {1..8})" "$(sed -n 's/^\(\[TEST\] Stage [^:]*\): .*/\1/p' <<<"$output")"
}

@test "MODEL, COLLECTION and QUESTION are passed on; --no-ask asks nothing" {
    staged
    quick ENGINE=cpu MODEL=Qwen/Qwen2.5-1.5B-Instruct COLLECTION=my_book QUESTION="Who is Marcus?" "$BOX/repo/quickstart.sh"
    ends_with_status 0
    called "${stages[@]:0:9}" "2_embed_and_store.py --collection my_book" "serve_vllm.sh Qwen/Qwen2.5-1.5B-Instruct --detach" \
        "serve_rag_proxy.sh my_book --port $PORT2 --upstream http://127.0.0.1:$PORT/v1 --detach" \
        "python -m scifi_llm.ask --base-url http://127.0.0.1:$PORT2/v1 Who is Marcus?"
    : >"$RECORD/calls"
    quick ENGINE=cpu "$BOX/repo/quickstart.sh" --no-ask
    ends_with_status 0
    stdout_has "[OK] Nothing asked (--no-ask)"
    called "${stages[@]}" "serve_vllm.sh --detach" \
        "serve_rag_proxy.sh scifi_world --port $PORT2 --upstream http://127.0.0.1:$PORT/v1 --detach"
}

@test "a stage that fails ends the run" {
    staged
    quick ENGINE=cpu FAIL="2_create_venv.sh 1" "$BOX/repo/quickstart.sh"
    ends_with_status 1
    called "${stages[@]:0:4}"
}

@test "notes that cannot be read do not end the run, a failing ingest does" {
    staged
    quick ENGINE=cpu FAIL="1_ingest.py 2" "$BOX/repo/quickstart.sh" --no-ask
    ends_with_status 0
    : >"$RECORD/calls"
    quick ENGINE=cpu FAIL="1_ingest.py 1" "$BOX/repo/quickstart.sh" --no-ask
    ends_with_status 1
    called "${stages[@]:0:9}"
}

@test "a second copy waits while the first is at work, and says so" {
    local first second
    staged
    background "$CORE/flock" "$RUN/.quickstart.lock" "$CORE/sleep" 30
    first="${STARTED[0]}"
    wait_for bash -c '! flock --nonblock "$1" true' _ "$RUN/.quickstart.lock"
    background "${CLEAN[@]}" ENGINE=cpu FAIL="0_check_system.sh 7" "$BOX/repo/quickstart.sh" >"$BOX/out" 2>"$BOX/err"
    second="${STARTED[1]}"
    wait_for grep -q WARN "$BOX/err"
    same "stderr" "[WARN] Another quickstart, or what is left of one, is at work; waiting for it (Ctrl+C gives up)." "$(cat "$BOX/err")"
    sleep 0.3
    [[ ! -e $RECORD/calls ]]
    alive "$second"
    kill -KILL -- "-$first"
    wait_for gone "$second"
    called 0_check_system.sh
}

@test "what is left of a killed run keeps the next one waiting" {
    local first
    staged
    background "${CLEAN[@]}" ENGINE=cpu SLOW=3_install_pytorch.sh "$BOX/repo/quickstart.sh" >"$BOX/out" 2>&1
    first="${STARTED[0]}"
    wait_for grep -q 3_install_pytorch "$RECORD/calls"
    kill -KILL "$first"
    wait_for gone "$first"
    run flock --nonblock "$RUN/.quickstart.lock" true
    ends_with_status 1
    kill -KILL -- "-$first"
    wait_for flock --nonblock "$RUN/.quickstart.lock" true
}

@test "an interrupted run says how to go on, with status 130" {
    local first status=0
    staged
    setsid "${CLEAN[@]}" ENGINE=cpu SLOW=3_install_pytorch.sh "$BOX/repo/quickstart.sh" >"$BOX/out" 2>"$BOX/err" 3>&- &
    first=$!
    STARTED+=("$first")
    wait_for grep -q 3_install_pytorch "$RECORD/calls"
    kill -TERM -- "-$first"
    wait "$first" || status=$?
    same status 130 "$status"
    has_line stderr "[WARN] Interrupted. Run ./quickstart.sh again; it goes on from here." "$(cat "$BOX/err")"
    called "${stages[@]:0:5}"
}
