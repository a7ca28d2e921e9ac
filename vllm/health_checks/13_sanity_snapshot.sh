#!/usr/bin/env bash
# Step 13: write what this machine, its environments, settings and servers are into one file.
#
# Usage: vllm/health_checks/13_sanity_snapshot.sh [--out FILE] [--base-url URL]
#
#   --out       Markdown file (run/snapshot_YYYYMMDD_HHMMSS.md)
#   --base-url  a server to ask besides those of this toolkit (http://127.0.0.1:8000/v1)
#
# The file holds no secrets: keys and tokens are told as set or unset, URLs lose user, password and
# query, the home directory is ~, and of logs only sizes are told. Works when nothing is installed
# or runs, and says so in the file.
# Environment: VENVS_DIR=, RUN_DIR=, HF_HOME=, OPENAI_API_KEY=, RAG_API_KEY= (keys of the servers)
# Example: vllm/health_checks/13_sanity_snapshot.sh --out ~/snapshot.md
# Takes about 2 seconds. Next: ./serve_rag_proxy.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
case " $* " in *" --help "* | *" -h "*)
    show_help
    exit 0
    ;;
esac
# Any Python will do: it needs no package, and the environments may not be there.
for python in python3 "$(venv_python llm)" "$(venv_python rag)"; do
    ! "$python" -c '' 2>/dev/null || exec "$python" -m scifi_llm.serving.health.snapshot "$@"
done
die "No Python runs here." "Install it with: sudo apt install python3"
