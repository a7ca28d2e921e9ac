#!/usr/bin/env bash
# Start the RAG proxy on port 8001: OpenAI's API with the canon of the book put before the model.
#
# Usage: ./serve_rag_proxy.sh [COLLECTION] [--port 8001] [--upstream URL] [--watch[=DIR]] [--detach] [--stop]
#
#   COLLECTION  made by RAG/2_embed_and_store.py (default: the one written last)
#   --port      8001
#   --upstream  server behind it (http://127.0.0.1:8000/v1)
#   --watch     index the notes again when they change (RAG/data, or DIR)
#   --detach    return when the proxy answers; pid and log under run/
#   --stop      stop the proxy on that port; running answers have RAG_DRAIN_SECONDS to end
#   --log-level debug, info (a line a request), warning or error (warning)
#   --log-format text or json, on stderr
#   --log-text  log what is asked, in full; the log holds no text otherwise
#
# Environment: RAG_HOME= (folder of the book), RAG_UPSTREAM_URL=, UPSTREAM_API_KEY=,
#   RAG_HOST= (127.0.0.1), RAG_API_KEY= (asked of clients, never sent on), VENVS_DIR=,
#   RAG_ALLOWED_HOSTS= and RAG_ALLOWED_ORIGINS= (names, web pages; separated by commas),
#   RAG_MAX_BODY_MB= (32), RAG_HEAD_SECONDS= (15), RAG_BODY_SECONDS= (60), RAG_STALL_SECONDS= (300),
#   RAG_DRAIN_SECONDS= (10), RAG_PLACEMENT= (stable, tail or system), RAG_SOURCES= (field, footer or
#   none), TOP_K= (20), BUDGET_TOKENS= (2000), ALWAYS_BUDGET_TOKENS= (1000), RETRIEVAL_SECONDS= (2)
# Examples:
#   ./serve_rag_proxy.sh scifi_world
#   ./serve_rag_proxy.sh scifi_world --port 8101 --upstream http://127.0.0.1:8100/v1 --detach
#   ./serve_rag_proxy.sh --stop
# Ready in about 10 seconds. Next: point an editor at http://localhost:8001/v1
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
# shellcheck source=lib/server.sh
source "$REPO/lib/server.sh"

asked=("$@")
port="$RAG_PORT" upstream="" watch="" collection="" DETACH=no stop=no more=()
while (($#)); do
    case "$1" in
    -h | --help)
        show_help
        exit 0
        ;;
    --port | --upstream)
        needs_value "$1" $#
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
    --watch | --watch=*) watch="$1" ;;
    --log-level | --log-format)
        needs_value "$1" $#
        more+=("$1" "$2")
        shift
        ;;
    --log-text) more+=("$1") ;;
    --detach) DETACH=yes ;;
    --stop) stop=yes ;;
    -*) die "Unknown option: $1" "See: $0 --help" ;;
    *)
        [[ -z $collection ]] || die "Two collections: $collection and $1." "Name one."
        collection="$1"
        ;;
    esac
    shift
done
[[ $port =~ ^[0-9]{1,5}$ ]] || die "--port $port is no port." "Use one from 1 to 65535."
name="proxy-$port"

if [[ $stop == yes ]]; then
    # Its answers may run on for that long, and then it ends them itself.
    drain="${RAG_DRAIN_SECONDS%%[!0-9]*}"
    stop_server "$name" "RAG proxy on port $port" "$((10#${drain:-10} + 5))"
    exit 0
fi

python="$(require_venv rag "RAG/0_create_venv_with_deps.sh")"
command=("$python" "$REPO/RAG/serve_rag_proxy.py" ${collection:+"$collection"} --port "$port" ${upstream:+--upstream "$upstream"} ${watch:+"$watch"} ${more[@]+"${more[@]}"})
url="http://$(own_address "${RAG_HOST:-}"):$port"
collection="$("${command[@]}" --check)"
if [[ -n $watch ]] && pid="$(running_pid "$name")"; then
    mapfile -d '' -t running <"/proc/$pid/cmdline"
    [[ " ${running[*]} " == *" $watch "* ]] || die "The RAG proxy on port $port (pid $pid) was started without $watch." \
        "Start it anew: $0 --stop --port $port && $0$(printf ' %q' "${asked[@]}")"
fi
refuse_second "$name" "The RAG proxy" "$port" "$url/health" "$collection"
if [[ $DETACH == yes ]]; then
    log_test "Starting the RAG proxy on $url/v1"
    start_detached "$name" "$collection" "${command[@]}"
    wait_ready "$name" "The RAG proxy" "$url/health" 120
    log_next "point an editor at http://localhost:$port/v1"
else
    write_pid "$name" "$$" "$collection"
    exec "${command[@]}"
fi
