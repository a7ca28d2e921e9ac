#!/usr/bin/env bash
# Step 5: check FlashInfer, the attention kernels of the GPU. A CPU has nothing to do here.
#
# Usage: vllm/setup/5_install_flashinfer.sh [--help]
#
# Step 4 installs flashinfer-python with vLLM: one requirement set holds both, so that they fit.
# Environment: ENGINE=, STACK=, VENVS_DIR=. Next: vllm/setup/6_download_model.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/llm.sh
source "$REPO/lib/llm.sh"
only_help "$@"
engine="$(chosen_engine)"
if [[ $engine == cpu ]]; then
    log_ok "FlashInfer: nothing to do without a GPU"
else
    python="$(require_venv llm "vllm/setup/2_create_venv.sh")"
    found="$("$python" -c 'import importlib.metadata as m; print(m.version("flashinfer-python"))' 2>/dev/null)" ||
        die "flashinfer-python is not installed." "Run: vllm/setup/4_install_vllm.sh"
    log_ok "FlashInfer $found"
fi
log_next "vllm/setup/6_download_model.sh"
