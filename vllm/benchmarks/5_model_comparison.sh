#!/usr/bin/env bash
# Benchmark 5: serve several models in turn, run benchmarks 1 to 4 on each, and compare them.
#
# Usage: vllm/benchmarks/5_model_comparison.sh [MODEL…] [--quick] [--port N] [--out DIR] [--fresh]
#
#   MODEL    hub names or folders (GPU: Llama-3.1-8B-Instruct, Qwen2.5-7B-Instruct and the AWQ build
#            of Qwen2.5-14B-Instruct; CPU: the bundled model and Qwen2.5-1.5B-Instruct)
#   --quick  small prompts and texts: proves that it works
#   --port   of the servers (8000); must be free
#   --out    folder of the results (vllm/benchmarks/results)
#   --fresh  do not go on with a comparison that was cut short
#
# Starts each server, waits for it, measures, and stops it, also after a failure or Ctrl+C. A model
# that does not start is left out (status 2). The same command goes on after an interruption and
# measures only what is missing. Models of one name cannot be told apart: they are refused. Ranks
# only where intervals do not overlap; one report.html side by side.
# Environment: ENGINE=auto|cuda|cpu, VLLM_PORT=, VENVS_DIR=
# Example: vllm/benchmarks/5_model_comparison.sh Qwen/Qwen2.5-7B-Instruct ~/models/my-model
# Takes about 40 minutes a model on a GPU; --quick about 2 minutes a model on a CPU.
# Next: docs/SCIENCE_FICTION_WRITING_GUIDE.md
set -euo pipefail
# shellcheck source=../../lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../lib/common.sh"
# shellcheck source=../../lib/server.sh
source "$REPO/lib/server.sh"

models=() quick=() port="$VLLM_PORT" out="$REPO/vllm/benchmarks/results" fresh=no
while (($#)); do
    case "$1" in
    -h | --help)
        show_help
        exit 0
        ;;
    --quick) quick=(--quick) ;;
    --fresh) fresh=yes ;;
    --port | --out)
        needs_value "$1" $#
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
    -*) die "Unknown option: $1" "See: $0 --help" ;;
    *) models+=("$1") ;;
    esac
    shift
done
[[ $port =~ ^[0-9]{1,5}$ ]] || die "--port $port is no port." "Use one from 1 to 65535."
python="$(require_venv llm "vllm/setup/2_create_venv.sh")"
if ((${#models[@]} == 0)); then
    if [[ $(chosen_engine) == cuda ]]; then
        models=("$CUDA_MODEL" "$CUDA_UNGATED_MODEL" casperhansen/qwen2.5-14b-instruct-awq)
    else
        models=("$CPU_MODEL" "$CPU_BETTER_MODEL")
    fi
fi
twice="$(for model in "${models[@]}"; do basename "$model"; done | awk 'seen[$0]++ == 1')"
[[ -z $twice ]] || die "Two of the models are called $twice." "Name each model once, and give folders names of their own."
! port_taken "$port" || die "Port $port is taken$(port_owner "$port")." "Stop that server with: ./stop_vllm.sh $port (or choose another: --port N)"

# folder_of_run: the newest comparison of the same models that was cut short, else a new folder.
folder_of_run() {
    local wanted folder
    wanted="$(printf '%s\n' "${models[@]}" "${quick[@]}")"
    if [[ $fresh == no ]]; then
        for folder in "$out"/comparison_*/; do
            [[ -e $folder/.models && ! -e $folder/.done ]] || continue
            [[ $(cat "$folder/.models") != "$wanted" ]] || printf '%s\n' "${folder%/}"
        done | tail -n 1
    fi
}
run="$(folder_of_run)"
if [[ -n $run ]]; then
    log_ok "Going on with $run (--fresh: anew)"
else
    run="$out/comparison_$(date +%Y%m%d-%H%M%S)"
    mkdir -p "$run"
    printf '%s\n' "${models[@]}" "${quick[@]}" >"$run/.models"
fi

serving=no
# clean_up: whatever happened, no server of ours is left; a second Ctrl+C does not stop the stopping.
clean_up() {
    local status=$?
    trap '' INT TERM HUP
    trap - EXIT
    [[ $serving == no ]] || "$REPO/stop_vllm.sh" "$port" --force || true
    exit "$status"
}
# interrupted: end the step that runs, with all its processes, as Ctrl+C would; after 15 s by force.
interrupted() {
    trap '' INT TERM HUP
    [[ -z $step ]] || end_step 2>/dev/null
    log_warn "Interrupted. What was finished is kept in $run; the same command goes on from there."
    exit 130
}
end_step() {
    local _
    kill -INT -- "-$step" || return 0
    for _ in {1..150}; do
        kill -0 -- "-$step" || return 0
        sleep 0.1
    done
    kill -KILL -- "-$step" || true
}
trap clean_up EXIT
trap interrupted INT TERM HUP

step=""
# run_step COMMAND…: in a process group of its own (-m), so that a signal reaches it whether Ctrl+C
# comes from the terminal or to this script alone. bash heeds it at once while it waits.
run_step() {
    local status=0
    set -m
    "$@" </dev/null &
    step=$!
    set +m
    wait "$step" || status=$?
    step=""
    return "$status"
}

# measure FOLDER SCRIPT…: these benchmarks of the served model.
measure() {
    local part
    for part in "${@:2}"; do
        run_step "$REPO/vllm/benchmarks/$part" --base-url "http://127.0.0.1:$port/v1" --out "$1" "${quick[@]}" || return
    done
}

failed=() number=0
export IN_QUICKSTART=yes # the steps name no next one
for model in "${models[@]}"; do
    number=$((number + 1))
    folder="$run/$number-$(basename "$model" | tr -c 'A-Za-z0-9.\n' '-')"
    mkdir -p "$folder"
    missing="$("$python" -m scifi_llm.benchmarks.compare --missing "$folder")"
    if [[ -z $missing ]]; then
        log_ok "$model is measured already"
        continue
    fi
    log_test "Model $number of ${#models[@]}: $model"
    serving=yes
    if ! run_step "$REPO/serve_vllm.sh" "$model" "$port" --detach; then
        failed+=("$model")
        log_warn "$model could not be served; going on without it."
    elif mapfile -t parts <<<"$missing" && ! measure "$folder" "${parts[@]}"; then
        failed+=("$model")
        log_warn "$model was not measured to the end; going on without the rest."
    fi
    "$REPO/stop_vllm.sh" "$port" --force
    serving=no
done
"$python" -m scifi_llm.benchmarks.compare "$run" "${quick[@]}" || die "None of the models could be measured." "Read: tail run/vllm-$port.log"
if ((${#failed[@]})); then
    log_warn "Not complete: ${failed[*]}. The same command tries them again."
    exit 2
fi
touch "$run/.done"
IN_QUICKSTART="" log_next "docs/SCIENCE_FICTION_WRITING_GUIDE.md"
