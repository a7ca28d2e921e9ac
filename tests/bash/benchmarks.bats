#!/usr/bin/env bats
# vllm/benchmarks: help, arguments, missing environments and servers. tests/unit/benchmarks has the
# benchmarks themselves, tests/live the real server.

load helpers

BENCH="$REPO/vllm/benchmarks"

setup_file() { prepare_file; }
setup() {
    sandbox
    PORT="$(free_port)"
    CLEAN+=(VLLM_PORT="$PORT" ENGINE=cpu)
}
teardown() { clean_up; }

bench() { run --separate-stderr clean "$@"; }
environment() { ln -s "$REAL_RAG" "$VENVS/llm"; }

@test "help of the bash scripts is their header comment, without environments" {
    local script
    for script in 1_throughput 5_model_comparison; do
        bench "$BENCH/$script.sh" --help
        ends_with_status 0
        stderr_is ""
        stdout_is "$(awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$BENCH/$script.sh")"
        grep -q "^Usage: vllm/benchmarks/$script.sh " <<<"$output"
    done
}

@test "help of the Python scripts answers on bare Python" {
    local script
    for script in 2_context_scaling 3_creative_quality 4_long_context_coherence; do
        bench "$REAL_PYTHON" -I -S "$BENCH/$script.py" --help
        ends_with_status 0
        stderr_is ""
        grep -q "^usage: $script.py .*--base-url URL" <<<"$output"
    done
    grep -q "contradictions: \[brown\]" <<<"$output"
}

@test "nothing running: one error that names the command, from any folder" {
    environment
    local script
    cd "$BOX"
    for script in 1_throughput.sh 2_context_scaling.py 3_creative_quality.py 4_long_context_coherence.py; do
        bench "$BENCH/$script" --out "$BOX/out"
        only_fails_with "Nothing answers at http://127.0.0.1:$PORT/v1. Start vLLM with: ./serve_vllm.sh (the proxy before it: ./serve_rag_proxy.sh)"
    done
    [[ ! -e $BOX/out ]]
}

@test "no environment: the script that makes it is named" {
    bench "$BENCH/1_throughput.sh"
    only_fails_with "$VENVS/llm does not exist or is broken. Create it with: vllm/setup/2_create_venv.sh"
    bench "$BENCH/5_model_comparison.sh"
    only_fails_with "$VENVS/llm does not exist or is broken. Create it with: vllm/setup/2_create_venv.sh"
    bench "$BENCH/3_creative_quality.py"
    only_fails_with "$VENVS/llm does not exist. Create it with: vllm/setup/2_create_venv.sh"
}

@test "wrong arguments" {
    environment
    bench "$BENCH/3_creative_quality.py" cheerful
    ends_with_status 2
    grep -q "^\[ERROR\] Argument TONE: invalid choice: 'cheerful' (choose from .*). See: 3_creative_quality.py --help$" <<<"$stderr"
    bench "$BENCH/3_creative_quality.py" --json x.json
    ends_with_status 2
    stderr_is "[ERROR] --json goes with --score. See: 3_creative_quality.py --help"
    bench "$BENCH/2_context_scaling.py" --sizes 5
    ends_with_status 2
    stderr_is "[ERROR] --sizes must be 228 or more, --repeats 1 or more. See: 2_context_scaling.py --help"
    bench "$BENCH/4_long_context_coherence.py" --check story.md
    ends_with_status 2
    stderr_is "[ERROR] --check needs --facts FACTS.yaml. See: 4_long_context_coherence.py --help"
    bench "$BENCH/5_model_comparison.sh" --port eighty
    only_fails_with "--port eighty is no port. Use one from 1 to 65535."
    bench "$BENCH/5_model_comparison.sh" --wrong
    only_fails_with "Unknown option: --wrong See: $BENCH/5_model_comparison.sh --help"
}

@test "scores and facts of finished text, with relative names, from any folder" {
    environment
    cd "$BOX"
    cp "$REPO/examples/scifi_world/chapters/chapter-01-the-lead-and-the-line.md" one.md
    bench "$BENCH/3_creative_quality.py" --score one.md --tone gritty --json scores.json
    ends_with_status 0
    stderr_is ""
    grep -q '"overall": 9' scores.json
    printf -- '- {id: a, subject: Elena Ruhl, attribute: age, value: 34}\n' >facts.yaml
    bench "$BENCH/4_long_context_coherence.py" --check one.md --facts facts.yaml --json -
    ends_with_status 0
    grep -q '"verdict": "not mentioned"' <<<"$output"
}

@test "the comparison does not touch a server that runs already" {
    environment
    occupy "$PORT"
    bench "$BENCH/5_model_comparison.sh" --out "$BOX/out"
    ends_with_status 1
    grep -q "^\[ERROR\] Port $PORT is taken.* Stop that server with: ./stop_vllm.sh $PORT (or choose another: --port N)$" <<<"$stderr"
    listens "$PORT"
}
