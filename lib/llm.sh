# Sourced by the scripts of vllm/setup: which requirement set ~/.venvs/llm is to have.
# shellcheck shell=bash

# llm_lock: the requirement file for ENGINE and STACK.
llm_lock() {
    local engine stack
    engine="$(chosen_engine)" && stack="$(chosen_stack)" || return
    if [[ $engine == cpu ]]; then printf 'llm-cpu.txt'; else printf 'llm-cuda-%s.txt' "$stack"; fi
}

# llm_pythons LOCK: the versions of Python that the set was resolved for.
llm_pythons() { if [[ $1 == llm-cpu.txt ]]; then printf '3.11 3.12 3.13'; else printf '3.12'; fi; }

# llm_size LOCK: what the set takes on disk and how long it takes to get.
llm_size() { if [[ $1 == llm-cpu.txt ]]; then printf '3.5 GB, about 4 minutes'; else printf '9 GB, about 10 minutes'; fi; }
