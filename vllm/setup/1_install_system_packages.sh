#!/usr/bin/env bash
# Step 1: make sure that a Python for ~/.venvs/llm is there; uv fetches 3.12 where there is none.
#
# Usage: vllm/setup/1_install_system_packages.sh [--help]
#
# CPU: Python 3.11 to 3.13. GPU: Python 3.12. Needs no root. Environment: ENGINE=, STACK=, PYTHON=
# Next: vllm/setup/2_create_venv.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/llm.sh
source "$REPO/lib/llm.sh"
# shellcheck source=../../lib/venv.sh
source "$REPO/lib/venv.sh"
only_help "$@"
lock="$(llm_lock)"
python="$(find_python "$(llm_pythons "$lock")")"
log_ok "$("$python" --version) at $python"
log_next "vllm/setup/2_create_venv.sh"
