#!/usr/bin/env bash
# Watch a running vLLM: requests, tokens per second, latency, caches, GPUs and the RAG proxy.
#
# Usage: ./monitor_vllm.sh [PORT] [--interval SECONDS] [--once] [--json]
#
#   PORT        of vLLM (8000)
#   --interval  seconds between two looks, 0.2 to 3600 (1)
#   --once      look twice, one interval apart, print one table and end
#   --json      print one JSON object a line; its keys: src/scifi_llm/serving/monitor/main.py
#
# Without a terminal it prints one plain line per interval. It only reads, goes on through restarts
# of the server, and ends with Ctrl+C (status 0). --once fails where no vLLM answers.
#
# Environment: VLLM_PORT= (8000), HOST= (127.0.0.1), RAG_PORT= (8001), RAG_HOST= (127.0.0.1), VENVS_DIR=
# Examples:
#   ./monitor_vllm.sh
#   ./monitor_vllm.sh 8000 --interval 5 >> run/monitor.log
#   ./monitor_vllm.sh --once --json | python3 -m json.tool
# Shows figures after 1 second. Next: ./stop_vllm.sh when the day is done
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"

for word in "$@"; do
    case "$word" in
    -h | --help)
        show_help
        exit 0
        ;;
    esac
done
python="$(require_venv llm "./quickstart.sh")"
exec "$python" -m scifi_llm.serving.monitor.main "$@"
