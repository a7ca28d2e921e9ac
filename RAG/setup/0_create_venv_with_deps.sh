#!/usr/bin/env bash
# Create or update ~/.venvs/rag, the environment of ingest, embedding and the proxy.
#
# Usage: RAG/0_create_venv_with_deps.sh [--help]
#
# Installs exactly requirements/rag.txt (2.2 GB, about 2 minutes). Does nothing where it matches.
# VENVS_DIR=DIR puts the environments elsewhere; PYTHON=PROGRAM names the Python to build on.
# Next: RAG/1_ingest.py
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/venv.sh
source "$REPO/lib/venv.sh"

only_help "$@"
ensure_venv rag rag.txt "3.11 3.12 3.13" "2.2 GB, about 2 minutes"
log_next "RAG/1_ingest.py"
