#!/usr/bin/env bash
# Step 2: create ~/.venvs/llm, the environment of vLLM.
#
# Usage: vllm/setup/2_create_venv.sh [--help]
#
# Keeps a working one; makes it anew where it was made for another engine or stack.
# Environment: ENGINE=auto|cuda|cpu, STACK=documented|current, PYTHON=, VENVS_DIR=
# Next: vllm/setup/3_install_pytorch.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/llm.sh
source "$REPO/lib/llm.sh"
# shellcheck source=../../lib/venv.sh
source "$REPO/lib/venv.sh"
only_help "$@"
lock="$(llm_lock)"
with_venv_lock llm create_venv llm "$lock" "$(llm_pythons "$lock")"
log_next "vllm/setup/3_install_pytorch.sh"
