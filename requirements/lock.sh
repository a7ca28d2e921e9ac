#!/usr/bin/env bash
# Resolve requirements/*.in into the locked requirements/*.txt that the scripts install.
#
# Usage: requirements/lock.sh [NAME…]      (rag dev llm-cpu llm-cuda-documented llm-cuda-current finetune finetune-cpu)
#
# Needs uv (pip install uv) and the network; about 1 minute. Run it after a change of an .in file.
# The CUDA sets are resolved for Python 3.12 on Linux without needing a GPU.
set -euo pipefail
# shellcheck source=../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lib/common.sh"
# shellcheck source=../lib/venv.sh
source "$REPO/lib/venv.sh"
for name in "$@"; do
    case "$name" in
    -h | --help)
        show_help
        exit 0
        ;;
    *) [[ -f $REPO/requirements/$name.in ]] || die "There is no requirements/$name.in." "See: $0 --help" ;;
    esac
done
uv="$(find_uv)" || die "uv is not installed." "Install it with: pip install uv"
cd "$REPO/requirements"

# The CPU build of torch is on PyTorch's own index, unless this machine has it in a wheel folder.
cpu=(--universal --python-version 3.11 --override never.override)
if [[ -n ${PIP_FIND_LINKS:-} ]]; then
    cpu+=(--find-links "$PIP_FIND_LINKS")
else
    cpu+=(--extra-index-url "$TORCH_CPU_INDEX" --index-strategy unsafe-best-match --no-emit-index-url)
fi
cuda=(--python-version 3.12 --python-platform x86_64-manylinux_2_28)

lock() { "$uv" pip compile --quiet --no-annotate --no-header "$1.in" -o "$1.txt" "${@:2}" && log_ok "requirements/$1.txt: $(wc -l <"$1.txt") packages"; }

names=("$@")
((${#names[@]})) || names=(rag dev llm-cpu llm-cuda-documented llm-cuda-current finetune finetune-cpu)
for name in "${names[@]}"; do
    case "$name" in
    rag | dev | llm-cpu | finetune-cpu) lock "$name" "${cpu[@]}" ;;
    # As of its time: vLLM 0.10.2 has no upper bound on transformers.
    llm-cuda-documented) lock "$name" "${cuda[@]}" --exclude-newer 2025-09-25 ;;
    llm-cuda-current | finetune) lock "$name" "${cuda[@]}" ;;
    esac
done
