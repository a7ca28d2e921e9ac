#!/usr/bin/env bash
# Stop the vLLM server that serve_vllm.sh started, detached or in another terminal.
#
# Usage: ./stop_vllm.sh [PORT] [--timeout SECONDS]
#
#   PORT       8000
#   --timeout  seconds for running requests before the server is killed (30)
#
# Exits 0 where nothing runs. Example: ./stop_vllm.sh 8000 --timeout 60
# Next: ./serve_vllm.sh
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
# shellcheck source=lib/server.sh
source "$REPO/lib/server.sh"

port="$VLLM_PORT" limit=30
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
    -*) die "Unknown option: $1" "See: $0 --help" ;;
    *) port="$1" ;;
    esac
    shift
done
[[ $port =~ ^[0-9]+$ && $limit =~ ^[0-9]+$ ]] || die "PORT and SECONDS must be whole numbers." "See: $0 --help"

stop_server "vllm-$port" "vLLM on port $port" "$limit"
if port_taken "$port"; then
    log_warn "Port $port is still taken by a program that serve_vllm.sh did not start$(port_owner "$port")."
else
    log_ok "Port $port is free."
fi
