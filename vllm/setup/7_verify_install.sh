#!/usr/bin/env bash
# Step 7: verify the environment: every pinned version, the imports, a tiny generation.
#
# Usage: vllm/setup/7_verify_install.sh [--help]
#
# Takes about 1 minute. Not while a server holds the GPU. Environment: ENGINE=, STACK=, MODEL=,
# VENVS_DIR=. Next: ./serve_vllm.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/llm.sh
source "$REPO/lib/llm.sh"
only_help "$@"
lock="$(llm_lock)"
python="$(require_venv llm "vllm/setup/2_create_venv.sh")"
missing="$("$python" -m scifi_llm.environment check "$REPO/requirements/$lock")" ||
    die "These differ from requirements/$lock: ${missing//$'\n'/ }" "Run: vllm/setup/4_install_vllm.sh"
log_ok "All versions are those of requirements/$lock"
versions="$("$python" -c 'import torch, transformers, vllm; print(f"torch {torch.__version__}, transformers {transformers.__version__}, vLLM {vllm.__version__}")' 2>/dev/null)" ||
    die "vLLM does not import." "Make the environment anew: rm -r $VENVS_DIR/llm && vllm/setup/2_create_venv.sh"
log_ok "$versions"
engine="$(chosen_engine)"
model="${MODEL:-$("$python" -m scifi_llm.serving.models default "$engine")}"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
log_test "Generating a few words with $model"
"$python" -m scifi_llm.serving.verify "$model" "$engine" 2>"$log" || {
    tail -n 15 "$log" >&2
    die "vLLM does not generate with $model; the last lines are above." "Out of memory: stop the server first (./stop_vllm.sh). A missing model: vllm/setup/6_download_model.sh"
}
log_next "./serve_vllm.sh"
