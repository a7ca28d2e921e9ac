#!/usr/bin/env bash
# Step 10: prove that the server works on several requests at the same time.
#
# Usage: vllm/health_checks/10_concurrency.sh [--requests N] [--base-url URL] [--model NAME]
#
#   --requests  2 to 64 (4)
#   --base-url  http://127.0.0.1:8000/v1 (the proxy: http://127.0.0.1:8001/v1)
#   --model     the first that is served
#
# Streams N answers that are asked for at once and looks for a moment at which all of them were
# between their first and last token. Fewer than N: a [WARN] with the command that allows more.
# None: exits 1.
# Environment: OPENAI_API_KEY=, RAG_API_KEY= (keys, tried in this order), VLLM_PORT=, VENVS_DIR=
# Example: vllm/health_checks/10_concurrency.sh --requests 9
# Takes about 5 seconds on a CPU. Next: vllm/health_checks/11_tool_call_test.py
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
case " $* " in *" --help "* | *" -h "*)
    show_help
    exit 0
    ;;
esac
python="$(require_venv llm "vllm/setup/2_create_venv.sh")"
exec "$python" -m scifi_llm.serving.health.concurrency "$@"
