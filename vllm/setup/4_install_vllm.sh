#!/usr/bin/env bash
# Step 4: install vLLM and everything it needs into ~/.venvs/llm, exactly as pinned.
#
# Usage: vllm/setup/4_install_vllm.sh [--help]
#
# CPU: requirements/llm-cpu.txt, 3.5 GB, about 4 minutes. GPU: requirements/llm-cuda-*.txt, 9 GB.
# Does nothing where all of it is there. Environment: ENGINE=, STACK=, VENVS_DIR=
# Next: vllm/setup/5_install_flashinfer.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/llm.sh
source "$REPO/lib/llm.sh"
# shellcheck source=../../lib/venv.sh
source "$REPO/lib/venv.sh"
only_help "$@"
lock="$(llm_lock)"
python="$(require_venv llm "vllm/setup/2_create_venv.sh")"
with_venv_lock llm install_pins llm "$lock" "$(llm_size "$lock")"
[[ $lock != llm-cpu.txt ]] || "$python" -m scifi_llm.serving.cpu_build
printf '%s\n' "$lock" >"$VENVS_DIR/llm/.ready"
log_next "vllm/setup/5_install_flashinfer.sh"
