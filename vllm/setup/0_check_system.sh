#!/usr/bin/env bash
# Step 0: check that this machine can run the toolkit: Python, disk, memory, ports, GPU, line ends.
#
# Usage: vllm/setup/0_check_system.sh [--help]
#
# Changes nothing. Environment: ENGINE=auto|cuda|cpu, VLLM_PORT=, RAG_PORT=, VENVS_DIR=
# Next: vllm/setup/1_install_system_packages.sh
bad="$(grep -ls $'\r' "$0" "$(dirname "$0")"/{,../../}lib/*.sh || :)"
if [[ -n $bad ]]; then printf "[ERROR] Line ends: CRLF in %s. Mend with, in the toolkit's folder: sed -i 's/\\\\r\$//' *.sh lib/* RAG/*/*.* vllm/*/*.*\n" "${bad//$'\n'/ }" >&2 && exit 1; fi # one line that ends in a comment works with CRLF, too
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/llm.sh
source "$REPO/lib/llm.sh"
# shellcheck source=../../lib/server.sh
source "$REPO/lib/server.sh"
# shellcheck source=../../lib/venv.sh
source "$REPO/lib/venv.sh"
only_help "$@"
engine="$(chosen_engine)"
stack="$(chosen_stack)"
lock="$(llm_lock)"

# free_gib FOLDER: free space of the file system that will hold it.
free_gib() {
    local folder="$1"
    while [[ ! -e $folder ]]; do folder="$(dirname "$folder")"; done
    df -Pk "$folder" | awk 'NR == 2 { printf "%d", $4 / 1048576 }'
}

check_python() {
    local wanted python
    wanted="$(llm_pythons "$lock")"
    if python="$(system_python "$wanted")"; then
        log_ok "Python: $("$python" --version 2>&1)"
    else
        log_warn "Python: $(python3 --version 2>&1 | head -n 1) is not ${wanted// / or }; 3.12 will be fetched with uv."
    fi
}

check_disk() {
    local need=10 free folder
    [[ $engine == cpu ]] || need=45
    [[ $(cat "$VENVS_DIR/llm/.ready" 2>/dev/null) != "$lock" ]] || need=2
    for folder in "$VENVS_DIR" "$HOME/.cache" "$REPO"; do
        free="$(free_gib "$folder")"
        ((free >= need)) || die "Disk: $free GiB free for $folder; $need GiB are needed." "Free some space, or put the environments elsewhere: VENVS_DIR=/big/disk/venvs"
    done
    log_ok "Disk: $free GiB free ($need GiB needed)"
}

check_memory() {
    local total
    total="$(awk '/^MemTotal:/ { printf "%d", $2 / 1048576 }' "${MEMINFO:-/proc/meminfo}")"
    ((total >= 3)) || die "Memory: $total GiB; the smallest model needs 4 GiB." "Under WSL raise it: memory=48GB below [wsl2] in %USERPROFILE%\\.wslconfig, then: wsl --shutdown"
    if ((total < 7)); then
        log_warn "Memory: $total GiB; 8 GiB are comfortable."
    elif [[ $engine == cuda ]] && ((total < 40)) && grep -qi microsoft "${PROC_VERSION:-/proc/version}"; then
        log_warn "Memory: $total GiB given to WSL; 48 are recommended. Write [wsl2] and below it memory=48GB into %USERPROFILE%\\.wslconfig, then: wsl --shutdown"
    else
        log_ok "Memory: $total GiB"
    fi
}

# check_port NAME PORT VARIABLE: free, or held by a server that we started.
check_port() {
    local pid
    if pid="$(running_pid "$1")"; then
        log_ok "Port $2: our own server runs there (pid $pid)"
    elif port_taken "$2"; then
        die "Port $2 is taken by another program$(port_owner "$2")." "Stop it, or choose another port: $3=$(($2 + 100)) ./quickstart.sh"
    else
        log_ok "Port $2 is free"
    fi
}

check_gpu() {
    local gpus
    if [[ $engine == cpu ]]; then
        log_ok "GPU: none used; vLLM runs on the CPU"
        return
    fi
    gpus="$(nvidia-smi --query-gpu=name,memory.total,driver_version,compute_cap --format=csv,noheader 2>/dev/null)" && [[ -n $gpus ]] ||
        die "GPU: nvidia-smi lists none." "Install NVIDIA's driver (under WSL on the Windows side), or use the CPU: ENGINE=cpu ./quickstart.sh"
    log_ok "GPU: ${gpus//$'\n'/; } (name, memory, driver, compute capability; STACK=$stack)"
    [[ $gpus == *", 12."* ]] || return 0
    check_cuda_toolkit
}

# FlashInfer compiles its kernels at first use. For compute capability 12.0 (RTX 5090) recent
# releases need a CUDA toolkit of at least 12.9 for that.
check_cuda_toolkit() {
    local found
    found="$(nvcc --version 2>/dev/null | sed -nE 's/.*release ([0-9]+\.[0-9]+).*/\1/p')" || true
    if [[ -z $found ]]; then
        log_warn "CUDA toolkit: nvcc is not there; FlashInfer needs 12.9 or newer to compile for compute capability 12.0. Install it with: sudo apt install cuda-toolkit-12-9"
    elif printf '12.9\n%s\n' "$found" | sort -VC; then
        log_ok "CUDA toolkit: $found"
    else
        log_warn "CUDA toolkit: $found; FlashInfer needs 12.9 or newer to compile for compute capability 12.0. Install it with: sudo apt install cuda-toolkit-12-9"
    fi
}

check_line_ends() {
    local bad
    mapfile -t -n 3 bad < <(grep -lI $'\r$' "$REPO"/*.sh "$REPO"/lib/* "$REPO"/RAG/*/*.* "$REPO"/vllm/*/*.* 2>/dev/null)
    ((${#bad[@]} == 0)) || die "Line ends: CRLF in ${bad[*]}." "Mend with: sed -i 's/\\r\$//' *.sh lib/* RAG/*/*.* vllm/*/*.*"
    log_ok "Line ends: LF"
}

check_line_ends
check_python
check_disk
check_memory
check_gpu
check_port "vllm-$VLLM_PORT" "$VLLM_PORT" VLLM_PORT
check_port "proxy-$RAG_PORT" "$RAG_PORT" RAG_PORT
log_next "vllm/setup/1_install_system_packages.sh"
