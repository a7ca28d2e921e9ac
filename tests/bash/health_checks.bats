#!/usr/bin/env bats
# vllm/health_checks: help, arguments, missing environments and servers. tests/unit/serving has the
# checks themselves, tests/live the real servers.

load helpers

CHECKS="$REPO/vllm/health_checks"

setup_file() { prepare_file; }
setup() {
    sandbox
    PORT="$(free_port)"
    CLEAN+=(VLLM_PORT="$PORT" RAG_PORT="$PORT")
}
teardown() { clean_up; }

check() { run --separate-stderr clean "$@"; }

# environment: ~/.venvs/llm with httpx; that of the RAG has it, too.
environment() { ln -s "$REAL_RAG" "$VENVS/llm"; }

@test "help of the bash scripts is their header comment, wherever it stands, without environments" {
    local script
    for script in 9_health 10_concurrency 13_sanity_snapshot; do
        check "$CHECKS/$script.sh" --base-url http://localhost:1/v1 --help
        ends_with_status 0
        stderr_is ""
        stdout_is "$(awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$CHECKS/$script.sh")"
        grep -q "^Usage: vllm/health_checks/$script.sh .*\[--base-url URL\]" <<<"$output"
    done
}

@test "help of the Python scripts answers on bare Python" {
    local script
    for script in 11_tool_call_test 12_metrics_check; do
        check "$REAL_PYTHON" -I -S "$CHECKS/$script.py" --help
        ends_with_status 0
        stderr_is ""
        grep -q "^usage: $script.py .*--base-url URL" <<<"$output"
        stdout_has "example: ./$script.py --base-url http://127.0.0.1:8001/v1"
        stdout_has "  --base-url URL  default: http://127.0.0.1:$PORT/v1"
    done
}

@test "nothing running: one error that names the command, from any folder" {
    environment
    local script
    cd "$BOX"
    for script in 9_health.sh 10_concurrency.sh 11_tool_call_test.py 12_metrics_check.py; do
        check "$CHECKS/$script"
        fails_with "Nothing answers at http://127.0.0.1:$PORT/v1. Start vLLM with: ./serve_vllm.sh (the proxy before it: ./serve_rag_proxy.sh)"
    done
}

@test "a port on which something else listens" {
    environment
    occupy "$PORT"
    check "$CHECKS/9_health.sh"
    fails_with "http://127.0.0.1:$PORT/v1 does not say which models it serves. Start vLLM with: ./serve_vllm.sh (the proxy before it: ./serve_rag_proxy.sh)"
}

@test "no environment: the script that makes it is named" {
    local script
    for script in 9_health.sh 10_concurrency.sh; do
        check "$CHECKS/$script"
        only_fails_with "$VENVS/llm does not exist or is broken. Create it with: vllm/setup/2_create_venv.sh"
    done
    for script in 11_tool_call_test.py 12_metrics_check.py; do
        check "$CHECKS/$script"
        only_fails_with "$VENVS/llm does not exist. Create it with: vllm/setup/2_create_venv.sh"
    done
}

@test "wrong arguments" {
    environment
    local script
    for script in 9_health.sh 10_concurrency.sh 11_tool_call_test.py 12_metrics_check.py 13_sanity_snapshot.sh; do
        check "$CHECKS/$script" --wrong
        ends_with_status 2
        stdout_is ""
        stderr_is "[ERROR] Unrecognized arguments: --wrong. See: $script --help"
        check "$CHECKS/$script" --base-url localhost:8000
        ends_with_status 2
        stderr_is "[ERROR] Argument --base-url: 'localhost:8000' is no URL such as http://127.0.0.1:8000/v1. See: $script --help"
    done
    check "$CHECKS/10_concurrency.sh" --requests 1
    ends_with_status 2
    stderr_is "[ERROR] --requests must be from 2 to 64. See: 10_concurrency.sh --help"
}

@test "the snapshot needs neither environment nor server, and holds no secret" {
    check HF_TOKEN=hf_0123456789 RAG_API_KEY=open-sesame https_proxy=http://me:mellon@proxy.example:1 \
        "$CHECKS/13_sanity_snapshot.sh" --out "$BOX/deep/folder/s.md"
    ends_with_status 0
    stderr_is ""
    stdout_has "[TEST] Looking at machine, environments, settings and servers"
    has_line snapshot "# Snapshot of the toolkit" "$(cat "$BOX/deep/folder/s.md")"
    has_line snapshot "$VENVS/llm does not exist." "$(cat "$BOX/deep/folder/s.md")"
    has_line snapshot "| https_proxy | http://proxy.example:1 | environment |" "$(cat "$BOX/deep/folder/s.md")"
    grep -q '^Secrets: HF_TOKEN set, .* RAG_API_KEY set, ' "$BOX/deep/folder/s.md"
    run ! grep -E '0123456789|sesame|mellon' "$BOX/deep/folder/s.md"
}

@test "the snapshot lies below run/ by default" {
    check "$CHECKS/13_sanity_snapshot.sh"
    ends_with_status 0
    local files=("$RUN"/snapshot_????????_??????.md)
    [[ -s ${files[0]} ]]
    stdout_has "[OK] Written to ${files[0]} ($(wc -l <"${files[0]}") lines, without secrets)"
}

@test "the snapshot without any Python" {
    rm "$CORE/python3"
    check "$CHECKS/13_sanity_snapshot.sh"
    only_fails_with "No Python runs here. Install it with: sudo apt install python3"
}
