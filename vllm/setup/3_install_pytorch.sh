#!/usr/bin/env bash
# Step 3: install the pinned PyTorch into ~/.venvs/llm: the CPU build, or CUDA's.
#
# Usage: vllm/setup/3_install_pytorch.sh [--help]
#
# CPU: 200 MB. GPU: 3 GB. Does nothing where it is there. Environment: ENGINE=, STACK=, VENVS_DIR=
# Next: vllm/setup/4_install_vllm.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/llm.sh
source "$REPO/lib/llm.sh"
# shellcheck source=../../lib/venv.sh
source "$REPO/lib/venv.sh"
only_help "$@"
lock="$REPO/requirements/$(llm_lock)"
python="$(require_venv llm "vllm/setup/2_create_venv.sh")"
pin="$(grep -m 1 '^torch==' "$lock")"
if [[ "torch==$("$python" -c 'import importlib.metadata as m; print(m.version("torch"))' 2>/dev/null)" == "$pin" ]]; then
    log_ok "$pin is installed"
else
    log_test "Installing $pin"
    with_venv_lock llm install_torch "$python" "$lock" || die "$pin could not be installed." "Read pip's last lines above; check the network and the disk (df -h $VENVS_DIR), then run this again."
    log_ok "$pin is installed"
fi
log_next "vllm/setup/4_install_vllm.sh"
