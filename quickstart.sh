#!/usr/bin/env bash
# From a fresh clone to an answered question: environments, model, notes, both servers.
#
# Usage: ./quickstart.sh [--no-ask] [--stop] [--help]
#
#   --no-ask  set everything up and start the servers, but ask nothing
#   --stop    stop both servers
#
# Environment:
#   ENGINE=auto|cuda|cpu       auto takes the GPU where nvidia-smi lists one
#   STACK=documented|current   GPU: vLLM 0.10.2 with torch 2.8.0, or the newest verified set
#   MODEL=NAME                 hub name or folder (GPU: Llama-3.1-8B-Instruct; CPU: a bundled small one)
#   EMBEDDING=fast|balanced|quality, COLLECTION=scifi_world, RAG_HOME=DIR, VENVS_DIR=DIR,
#   VLLM_PORT=8000, RAG_PORT=8001, QUESTION="…"
# Examples:
#   ./quickstart.sh
#   MODEL=Qwen/Qwen2.5-1.5B-Instruct ./quickstart.sh
#   ./quickstart.sh --stop
# The first run takes about 6 minutes and 6 GB on a CPU machine, later ones about a minute. Run it
# again after an interruption: what is done is skipped.
bad="$(grep -ls $'\r' "$0" "$(dirname "$0")"/{,../../}lib/*.sh || :)"
if [[ -n $bad ]]; then printf "[ERROR] Line ends: CRLF in %s. Mend with, in the toolkit's folder: sed -i 's/\\\\r\$//' *.sh lib/* RAG/*/*.* vllm/*/*.*\n" "${bad//$'\n'/ }" >&2 && exit 1; fi # one line that ends in a comment works with CRLF, too
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"

export IN_QUICKSTART=yes
question="${QUESTION:-"What are Elena's key traits?"}"
ask=yes
while (($#)); do
    case "$1" in
    -h | --help)
        show_help
        exit 0
        ;;
    --no-ask) ask=no ;;
    --stop)
        "$REPO/serve_rag_proxy.sh" --stop --port "$RAG_PORT"
        exec "$REPO/stop_vllm.sh" "$VLLM_PORT"
        ;;
    *) die "Unknown argument: $1" "See: $0 --help" ;;
    esac
    shift
done

trap 'printf "\n" >&2; log_warn "Interrupted. Run ./quickstart.sh again; it goes on from here."; exit 130' INT TERM

# Everything that a run starts inherits this lock, so that the next run waits for the remains of a
# killed one instead of working beside it. Servers do not hold it.
mkdir -p "$RUN_DIR"
exec 9>"$RUN_DIR/.quickstart.lock"
if ! flock --nonblock 9; then
    log_warn "Another quickstart, or what is left of one, is at work; waiting for it (Ctrl+C gives up)."
    flock 9
fi

stage=0
begin() { log_test "Stage $((++stage))/8: $*"; }

# ingest: a note that cannot be read is reported and left out (status 2); the rest goes on.
ingest() {
    local status=0
    "$REPO/RAG/setup/1_ingest.py" || status=$?
    ((status == 0 || status == 2)) || exit "$status"
}

begin "check this machine"
"$REPO/vllm/setup/0_check_system.sh"

begin "environment of ingest, search and proxy"
"$REPO/RAG/setup/0_create_venv_with_deps.sh"

begin "environment of vLLM ($(chosen_engine))"
for step in 1_install_system_packages 2_create_venv 3_install_pytorch 4_install_vllm 5_install_flashinfer; do
    "$REPO/vllm/setup/$step.sh"
done

begin "model"
"$REPO/vllm/setup/6_download_model.sh"

begin "notes into collection $COLLECTION"
ingest
"$REPO/RAG/setup/2_embed_and_store.py" --collection "$COLLECTION"

begin "start vLLM on port $VLLM_PORT"
"$REPO/serve_vllm.sh" ${MODEL:+"$MODEL"} --detach

begin "start the RAG proxy on port $RAG_PORT"
"$REPO/serve_rag_proxy.sh" "$COLLECTION" --port "$RAG_PORT" --upstream "http://127.0.0.1:$VLLM_PORT/v1" --detach

begin "ask through the proxy"
if [[ $ask == yes ]]; then
    printf '\nQuestion: %s\n\n' "$question"
    "$(venv_python rag)" -m scifi_llm.ask --base-url "http://127.0.0.1:$RAG_PORT/v1" "$question"
else
    log_ok "Nothing asked (--no-ask)"
fi

log_ok "Both servers are running. What to do next:"
cat <<TEXT
  Your own notes   put them into ${RAG_HOME:-RAG}/data/ (md, docx, Scrivener, …), then: RAG/1_ingest.py && RAG/2_embed_and_store.py
  Your editor      ./setup_continue.sh, or point any OpenAI client at http://localhost:$RAG_PORT/v1
  Look inside      http://localhost:$RAG_PORT/ shows which canon a question pulls in
  Another model    ./stop_vllm.sh && MODEL=$CPU_BETTER_MODEL ./quickstart.sh
  Stop             ./quickstart.sh --stop
TEXT
