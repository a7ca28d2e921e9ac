#!/usr/bin/env bash
# Stop the vLLM server that serve_vllm.sh started, detached or in another terminal.
#
# Usage: ./stop_vllm.sh [PORT] [--timeout SECONDS] [--force]
#
#   PORT       8000
#   --timeout  seconds for running requests to finish and the server to end (30); 5 at least for
#              the server
#   --force    do not wait for running requests
#
# Exits 0 where nothing runs. Touches only processes that serve_vllm.sh started.
# Example: ./stop_vllm.sh 8000 --timeout 60
# Next: ./serve_vllm.sh
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
# shellcheck source=lib/server.sh
source "$REPO/lib/server.sh"

port="" limit=30 force=no
while (($#)); do
    case "$1" in
    -h | --help)
        show_help
        exit 0
        ;;
    --timeout)
        needs_value "$1" $#
        limit="$2"
        shift
        ;;
    --force) force=yes ;;
    -*) die "Unknown option: $1" "See: $0 --help" ;;
    *)
        [[ -z $port ]] || die "Two ports: $port and $1." "Name one."
        port="$1"
        ;;
    esac
    shift
done
port="${port:-$VLLM_PORT}"
[[ $port =~ ^[0-9]+$ && $limit =~ ^[0-9]+$ ]] || die "PORT and SECONDS must be whole numbers." "See: $0 --help"

# in_flight: requests that the server is at, or that wait for it.
in_flight() {
    http_get "http://$(own_address "${HOST:-}"):$port/metrics" | awk '/^vllm:num_requests_(running|waiting)[{ ]/ { sum += $NF } END { print sum + 0 }'
}

name="vllm-$port"
started=$SECONDS
if [[ $force == no ]] && running_pid "$name" >/dev/null && requests="$(in_flight)" && ((requests > 0)); then
    log_test "Waiting for $requests requests (at most $limit s; --force does not wait)"
    while ((SECONDS - started < limit)) && requests="$(in_flight)" && ((requests > 0)); do sleep 0.5; done
    ((requests == 0)) || log_warn "$requests requests are cut off."
fi
waited=$((SECONDS - started))
stop_server "$name" "vLLM on port $port" "$((limit - waited > 5 ? limit - waited : 5))"
if port_taken "$port"; then
    log_warn "Port $port is still taken by a program that serve_vllm.sh did not start$(port_owner "$port")."
else
    log_ok "Port $port is free."
fi
if has nvidia-smi && used="$(nvidia-smi --query-gpu=memory.used --format=csv,noheader 2>/dev/null)" && [[ -n $used ]]; then
    log_ok "GPU memory in use: ${used//$'\n'/, }"
fi
