#!/usr/bin/env bash
# Step 9: check that a server answers as clients expect: vLLM, or the RAG proxy before it.
#
# Usage: vllm/health_checks/9_health.sh [--base-url URL] [--model NAME]
#
#   --base-url  http://127.0.0.1:8000/v1 (the proxy: http://127.0.0.1:8001/v1)
#   --model     the first that is served
#
# Asks /health, models, chat, a stream, completions, a bad request and an unknown model; a line and
# a time for each. Exits 0 where all are right, 1 otherwise.
# Environment: OPENAI_API_KEY=, RAG_API_KEY= (keys, tried in this order), VLLM_PORT=, VENVS_DIR=
# Example: vllm/health_checks/9_health.sh --base-url http://127.0.0.1:8001/v1
# Takes about 5 seconds. Next: vllm/health_checks/10_concurrency.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
case " $* " in *" --help "* | *" -h "*)
    show_help
    exit 0
    ;;
esac
python="$(require_venv llm "vllm/setup/2_create_venv.sh")"
exec "$python" -m scifi_llm.serving.health.api "$@"
