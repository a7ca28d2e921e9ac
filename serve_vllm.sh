#!/usr/bin/env bash
# Start vLLM, an OpenAI-compatible server, on port 8000.
#
# Usage: ./serve_vllm.sh [MODEL] [PORT] [MAX_SEQS] [CONTEXT] [GPU_UTIL] [--detach] [--force] [-- VLLM_ARGS…]
#
#   MODEL      hub name, local folder or GGUF file (GPU: meta-llama/Llama-3.1-8B-Instruct;
#              CPU: the bundled SmolLM2-135M-Instruct, which only proves the installation)
#   PORT       8000
#   MAX_SEQS   requests that run at the same time (GPU: 9; CPU: 4)
#   CONTEXT    tokens of prompt and answer together (GPU: 32768; CPU: 8192)
#   GPU_UTIL   share of the GPU's memory that vLLM takes (0.90)
#   --detach   return when the server answers; pid and log under run/
#   --force    start although the memory forecast says that it does not fit
#   --         everything behind it goes to `vllm serve`
#
# Environment: ENGINE=auto|cuda|cpu, MODEL=, HOST= (127.0.0.1), CPU_KV_CACHE_GIB= (2), VENVS_DIR=,
#   LORA=name=path[,name=path] (adapters, each served under its own name beside the base model)
# Examples:
#   ./serve_vllm.sh
#   ./serve_vllm.sh Qwen/Qwen2.5-7B-Instruct 8000 9 32768 0.90 --detach
#   ./serve_vllm.sh ~/models/my-model -- --seed 7
#   ./serve_vllm.sh Qwen/Qwen2.5-14B-Instruct 8000 9 32768 0.90 -- --tensor-parallel-size 2
# Ready in about 1 minute on a CPU. Stop it with Ctrl+C or ./stop_vllm.sh. Next: ./serve_rag_proxy.sh
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
# shellcheck source=lib/server.sh
source "$REPO/lib/server.sh"

DETACH=no words=() extra=() force=()
while (($#)); do
    case "$1" in
    -h | --help)
        show_help
        exit 0
        ;;
    --detach) DETACH=yes ;;
    --force) force=(--force) ;;
    --)
        shift
        extra=("$@")
        break
        ;;
    -*) die "Unknown option: $1" "See: $0 --help (options of vLLM go behind --)" ;;
    *) words+=("$1") ;;
    esac
    shift
done
((${#words[@]} <= 5)) || die "Too many arguments: ${words[*]}" "See: $0 --help"

engine="$(chosen_engine)"
python="$(require_venv llm "./quickstart.sh")"
model="${words[0]:-${MODEL:-$("$python" -m scifi_llm.serving.models default "$engine")}}"
port="${words[1]:-$VLLM_PORT}"
name="vllm-$port"

case "${HOST:-127.0.0.1}" in
127.* | localhost | ::1) ;;
*) log_warn "HOST=$HOST lets everyone on that network use this server; give it a key with: -- --api-key SECRET" ;;
esac
url="http://$(own_address "${HOST:-}"):$port"
refuse_second "$name" "vLLM" "$port" "$url/health" "$model"

mkdir -p "$RUN_DIR"
plan="$(mktemp "$RUN_DIR/plan.XXXXXX")"
"$python" -m scifi_llm.serving.serve --engine "$engine" ${force[@]+"${force[@]}"} --model "$model" --port "$port" \
    --max-seqs "${words[2]:-}" --context "${words[3]:-}" --gpu-util "${words[4]:-}" \
    --host "${HOST:-}" --plan "$plan" -- ${extra[@]+"${extra[@]}"} || {
    rm -f "$plan"
    exit 1
}
mapfile -d '' -t plan_words <"$plan"
rm -f "$plan"
env_words=() command=()
for word in "${plan_words[@]}"; do
    if ((${#command[@]})) || [[ $word == -- ]]; then command+=("$word"); else env_words+=("$word"); fi
done
# To vLLM the variable VLLM_PORT means the first of its inner ports.
command=(env -u VLLM_PORT "${env_words[@]}" "${command[@]:1}")

log_test "Starting vLLM on $url with $model ($engine)"
if [[ $DETACH == yes ]]; then
    start_detached "$name" "$model" "${command[@]}"
    wait_ready "$name" "vLLM" "$url/health" 900
    log_next "./serve_rag_proxy.sh"
else
    write_pid "$name" "$$" "$model"
    exec "${command[@]}"
fi
