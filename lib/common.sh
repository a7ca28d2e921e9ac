# Sourced by every script: prefixes, help from the header comment, defaults, folders.
# shellcheck shell=bash

REPO="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENVS_DIR="${VENVS_DIR:-$HOME/.venvs}"
RUN_DIR="${RUN_DIR:-$REPO/run}"
export REPO VENVS_DIR RUN_DIR

# The folder vllm/ must never be imported in place of the package vllm.
export PYTHONSAFEPATH=1
export PYTHONPATH="$REPO/src"
export PYTHONUNBUFFERED=1
# Neither the toolkit nor what it starts reports usage to anyone.
export ANONYMIZED_TELEMETRY=False DO_NOT_TRACK=1 VLLM_NO_USAGE_STATS=1 HF_HUB_DISABLE_TELEMETRY=1
# Progress bars of libraries are for terminals.
[[ -t 2 ]] || export TQDM_DISABLE=1 PIP_PROGRESS_BAR=off
export TOKENIZERS_PARALLELISM=false PIP_DISABLE_PIP_VERSION_CHECK=1

while IFS='=' read -r key value; do
    [[ -z $key || $key == \#* ]] || [[ -n ${!key:-} ]] || printf -v "$key" '%s' "$value"
done <"$REPO/lib/defaults.env"
unset key value

log_test() { printf '[TEST] %s\n' "$*"; }
log_ok() { printf '[OK] %s\n' "$*"; }
log_warn() { printf '[WARN] %s\n' "$*" >&2; }
log_error() { printf '[ERROR] %s\n' "$*" >&2; }

# log_next COMMAND: name the next step, except where quickstart.sh takes it by itself.
log_next() { [[ -n ${IN_QUICKSTART:-} ]] || log_ok "Next: $*"; }

# die PROBLEM [FIX]: print both as one [ERROR] line and end the script.
die() {
    log_error "$*"
    exit 1
}

# show_help: print the header comment of the running script.
show_help() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }

# needs_value OPTION COUNT: end with an error where an option stands last, without its value.
needs_value() { (($2 >= 2)) || die "$1 needs a value." "See: $0 --help"; }

# only_help "$@": for scripts without arguments.
only_help() {
    case "${1:-}" in
    -h | --help)
        show_help
        exit 0
        ;;
    "") ;;
    *) die "Unknown argument: $1" "See: $0 --help" ;;
    esac
}

has() { command -v "$1" >/dev/null 2>&1; }

venv_python() { printf '%s/%s/bin/python' "$VENVS_DIR" "$1"; }

# require_venv NAME SCRIPT: print the environment's python, or say which script makes it.
require_venv() {
    local python
    python="$(venv_python "$1")"
    "$python" -c '' 2>/dev/null || die "$VENVS_DIR/$1 does not exist or is broken." "Create it with: $2"
    printf '%s' "$python"
}

# chosen_engine: cuda or cpu, from ENGINE=auto|cuda|cpu.
chosen_engine() {
    case "${ENGINE:-auto}" in
    cuda | cpu) printf '%s' "$ENGINE" ;;
    auto) if has nvidia-smi && [[ $(nvidia-smi -L 2>/dev/null) == *GPU* ]]; then printf cuda; else printf cpu; fi ;;
    *) die "ENGINE=$ENGINE is not known." "Use ENGINE=auto, ENGINE=cuda or ENGINE=cpu." ;;
    esac
}

# chosen_stack: documented or current, from STACK.
chosen_stack() {
    case "${STACK:-documented}" in
    documented | current) printf '%s' "${STACK:-documented}" ;;
    *) die "STACK=$STACK is not known." "Use STACK=documented or STACK=current." ;;
    esac
}
