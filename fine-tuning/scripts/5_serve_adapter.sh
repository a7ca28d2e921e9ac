#!/usr/bin/env bash
# Step 5: serve an adapter under its own model name, beside its base model, on one vLLM server.
#
# Usage: fine-tuning/scripts/5_serve_adapter.sh ADAPTER [NAME] [PORT] [MAX_SEQS] [CONTEXT] [GPU_UTIL] [--detach] [--force] [-- VLLM_ARGS…]
#
#   ADAPTER    folder that 2_train.py wrote
#   NAME       the model's name in requests (the folder's name)
#   The rest is serve_vllm.sh's own; its server is ./serve_vllm.sh's, and ./stop_vllm.sh ends it.
#
# A request for NAME gets the author's voice, one for the base model's name gets the base. Behind
# ./serve_rag_proxy.sh both get the canon. Environment: BASE= (another base model), ENGINE=, HOST=
# Example: fine-tuning/scripts/5_serve_adapter.sh fine-tuning/checkpoints/qlora_8b_5090 voice --detach
# Ready as fast as serve_vllm.sh. Next: ./serve_rag_proxy.sh
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"

words=() options=()
while (($#)); do
    case "$1" in
    -h | --help)
        show_help
        exit 0
        ;;
    --)
        options+=("$@")
        break
        ;;
    -*) options+=("$1") ;;
    *) words+=("$1") ;;
    esac
    shift
done
((${#words[@]})) || die "Name the adapter's folder." "See: $0 --help"
adapter="${words[0]}" name="${words[1]:-}"
[[ -d $adapter ]] || die "There is no folder $adapter." "Train an adapter with: fine-tuning/scripts/2_train.py --config smoke_cpu"
adapter="$(cd "$adapter" && pwd -P)"
name="${name:-$(basename "$adapter")}"
[[ $name =~ ^[A-Za-z0-9._-]+$ ]] || die "The name $name is not usable in requests." "Use letters, digits, points and hyphens."
python="$(require_venv finetune "fine-tuning/scripts/0_create_venv.sh")"
base="$("$python" -m scifi_llm.finetuning.served "$adapter" ${BASE:+"$BASE"})"
[[ $name != "$base" && $name != "$(basename "$base")" ]] || die "The adapter cannot have the base model's name $name." "Give it a name of its own: $0 $adapter voice"
log_test "Serving $adapter as $name, beside $base"
# With other adapters in LORA this one joins them.
export LORA="${LORA:+$LORA,}$name=$adapter"
exec "$REPO/serve_vllm.sh" "$base" "${words[@]:2}" ${options[@]+"${options[@]}"}
