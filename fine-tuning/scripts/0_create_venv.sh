#!/usr/bin/env bash
# Step 0: create or update ~/.venvs/finetune, the environment of fine-tuning.
#
# Usage: fine-tuning/scripts/0_create_venv.sh [--help]
#
# Installs exactly requirements/finetune.txt on a GPU (torch 2.10.0; 8 GB, about 8 minutes), else
# requirements/finetune-cpu.txt (torch 2.13.0+cpu; 1.8 GB, about 2 minutes). Does nothing where it
# matches. Environment: ENGINE=auto|cuda|cpu, PYTHON=, VENVS_DIR=
# Next: fine-tuning/scripts/1_prepare_data.py
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/venv.sh
source "$REPO/lib/venv.sh"

only_help "$@"
engine="$(chosen_engine)"
if [[ $engine == cpu ]]; then
    ensure_venv finetune finetune-cpu.txt "3.11 3.12 3.13" "1.8 GB, about 2 minutes"
else
    ensure_venv finetune finetune.txt "3.12" "8 GB, about 8 minutes"
fi
log_next "fine-tuning/scripts/1_prepare_data.py --input fine-tuning/data/raw"
