#!/usr/bin/env bash
# Step 7: verify the environment: every pinned version, and that vLLM imports.
#
# Usage: vllm/setup/7_verify_install.sh [--help]
#
# Takes about 20 seconds. Environment: ENGINE=, STACK=, VENVS_DIR=. Next: ./serve_vllm.sh
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
log_next "./serve_vllm.sh"
