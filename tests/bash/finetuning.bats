#!/usr/bin/env bats
# fine-tuning/scripts/0_create_venv.sh and 5_serve_adapter.sh. Nothing is installed or served: the
# Pythons of the environments are stubs.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

SERVE="fine-tuning/scripts/5_serve_adapter.sh"

setup_file() { prepare_file; }
setup() { sandbox; }
teardown() { clean_up; }

# adapter: a folder with what 5_serve_adapter.sh looks at; its base is what the stub prints.
adapter() {
    mkdir -p "$BOX/voices/mine"
    program "$VENVS/finetune/bin/python" <<<'[[ $1 == -c ]] || { echo "$*" >>"$RECORD/finetune"; echo Some/Base; }'
}

# no_llm: serve_vllm.sh goes as far as its environment and tells what it was called with.
no_llm() {
    program "$VENVS/llm/bin/python" <<<'[[ $1 == -c ]] || { echo "LORA=$LORA $*" >>"$RECORD/llm"; exit 1; }'
}

serve() { run --separate-stderr clean ENGINE=cpu "$@"; }

@test "0: the environment of the engine is asked for" {
    program "$VENVS/finetune/bin/python" <<<'case "$*" in "-m scifi_llm.environment check "*) echo "${4##*/}" >>"$RECORD/checked" ;; --version) echo "Python 3.11.7" ;; "-c import sys"*) echo 3.11 ;; esac'
    printf 'finetune-cpu.txt\n' >"$VENVS/finetune/.made-for"
    run --separate-stderr clean ENGINE=cpu "$REPO/fine-tuning/scripts/0_create_venv.sh"
    ends_with_status 0
    stdout_is "[OK] $VENVS/finetune is there (Python 3.11.7)
[OK] $VENVS/finetune matches requirements/finetune-cpu.txt
[OK] Next: fine-tuning/scripts/1_prepare_data.py --input fine-tuning/data/raw"
    same "what was compared" "finetune-cpu.txt" "$(cat "$RECORD/checked")"
}

@test "5: without a folder it says what to name" {
    serve "$REPO/$SERVE"
    fails_with "Name the adapter's folder. See: $REPO/$SERVE --help"
    serve "$REPO/$SERVE" "$BOX/nothing"
    fails_with "There is no folder $BOX/nothing. Train an adapter with: fine-tuning/scripts/2_train.py --config smoke_cpu"
}

@test "5: without the environment it names the script that makes it" {
    mkdir -p "$BOX/voices/mine"
    serve "$REPO/$SERVE" "$BOX/voices/mine"
    fails_with "$VENVS/finetune does not exist or is broken. Create it with: fine-tuning/scripts/0_create_venv.sh"
}

@test "5: names that requests could not use are refused" {
    adapter
    serve "$REPO/$SERVE" "$BOX/voices/mine" "my voice"
    fails_with "The name my voice is not usable in requests. Use letters, digits, points and hyphens."
    serve "$REPO/$SERVE" "$BOX/voices/mine" Base
    fails_with "The adapter cannot have the base model's name Base. Give it a name of its own: $REPO/$SERVE $BOX/voices/mine voice"
}

@test "5: serve_vllm.sh gets the base, the adapter under its name, and everything else" {
    adapter
    no_llm
    serve "$REPO/$SERVE" "$BOX/voices/mine" voice 8123 2 1024 --force -- --seed 7
    same "the base is asked of the adapter" "-m scifi_llm.finetuning.served $BOX/voices/mine" "$(cat "$RECORD/finetune")"
    called="$(cat "$RECORD/llm")"
    [[ $called == "LORA=voice=$BOX/voices/mine "*"--force --model Some/Base --port 8123 --max-seqs 2 --context 1024"*"-- --seed 7" ]]
}

@test "5: the folder's name is the default, and other adapters stay" {
    adapter
    no_llm
    serve LORA="other=/x" BASE=Own/Base "$REPO/$SERVE" "$BOX/voices/mine"
    same "the base that was named" "-m scifi_llm.finetuning.served $BOX/voices/mine Own/Base" "$(cat "$RECORD/finetune")"
    [[ $(cat "$RECORD/llm") == "LORA=other=/x,mine=$BOX/voices/mine "* ]]
}
