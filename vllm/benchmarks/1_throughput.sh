#!/usr/bin/env bash
# Benchmark 1: how many requests at the same time, and how fast each is answered.
#
# Usage: vllm/benchmarks/1_throughput.sh [--base-url URL] [--concurrency N…] [--repeats N] [--quick]
#
#   --base-url     http://127.0.0.1:8000/v1
#   --concurrency  requests at the same time (1 4 9 16)
#   --repeats      3, each with a seed of its own: a repeated prompt comes from the prefix cache
#   --seed, --out, --fresh, --model: see --help-all
#
# Runs `vllm bench serve` with fiction-shaped and random prompts after a warm-up. Prints tokens/s,
# goodput, TTFT, TPOT and ITL; writes vllm/benchmarks/results/throughput_MODEL_TIME.json and
# report.html. A run that was cut short goes on with the same command.
# Environment: OPENAI_API_KEY=, VLLM_PORT=, VENVS_DIR=
# Example: vllm/benchmarks/1_throughput.sh --concurrency 1 9
# Takes about 10 minutes on a GPU; --quick about 1 minute on a CPU.
# Next: vllm/benchmarks/2_context_scaling.py
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
case " $* " in *" --help "* | *" -h "*)
    show_help
    exit 0
    ;;
esac
python="$(require_venv llm "vllm/setup/2_create_venv.sh")"
[[ ${1:-} != --help-all ]] || set -- --help
exec "$python" -m scifi_llm.benchmarks.throughput "$@"
