#!/usr/bin/env bats
# vllm/setup/0 to 7. Nothing is installed: the Python of the environments is a stub.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

setup_file() { prepare_file; }
setup() {
    sandbox
    PORT="$(free_port)" PORT2="$(free_port)"
    disk 100
    memory 16
}
teardown() { clean_up; }

# disk GIB: what df says is free.
disk() {
    stub df <<<"echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'; echo '/dev/sda1 1000000000 1 $(($1 * 1048576)) 1% /'"
}

# memory GIB: the file that is read in place of /proc/meminfo.
memory() { printf 'MemTotal:       %d kB\nMemFree:  1 kB\n' "$(($1 * 1048576))" >"$BOX/meminfo"; }

check() { run --separate-stderr clean MEMINFO="$BOX/meminfo" VLLM_PORT="$PORT" RAG_PORT="$PORT2" "$@" "${SCRIPT:-$REPO/vllm/setup/0_check_system.sh}"; }

step() { run --separate-stderr clean "${@:2}" "$REPO/vllm/setup/$1"; }

# llm_stub: ~/.venvs/llm, whose python writes down each call; the body is read from stdin.
llm_stub() {
    { printf 'echo "$*" >>"$RECORD/calls"\n' && cat; } | program "$VENVS/llm/bin/python"
}

# --- 0: the machine ------------------------------------------------------------------------------

@test "0: a machine that can run it is all [OK]" {
    check
    ends_with_status 0
    stderr_is ""
    stdout_is "[OK] Line ends: LF
[OK] Python: $("$REAL_PYTHON" --version)
[OK] Disk: 100 GiB free (10 GiB needed)
[OK] Memory: 16 GiB
[OK] GPU: none used; vLLM runs on the CPU
[OK] Port $PORT is free
[OK] Port $PORT2 is free
[OK] Next: vllm/setup/1_install_system_packages.sh"
    same "what it changed" "" "$(find "$VENVS" "$RUN" -mindepth 1)"
}

@test "0: a full disk is one error with the variable that helps" {
    disk 9
    check
    fails_with "Disk: 9 GiB free for $VENVS; 10 GiB are needed. Free some space, or put the environments elsewhere: VENVS_DIR=/big/disk/venvs"
    disk 44
    check ENGINE=cuda
    fails_with "Disk: 44 GiB free for $VENVS; 45 GiB are needed. Free some space, or put the environments elsewhere: VENVS_DIR=/big/disk/venvs"
}

@test "0: where the environments are made already, a little space is enough" {
    disk 3
    mkdir -p "$VENVS/llm" && echo llm-cpu.txt >"$VENVS/llm/.ready"
    check
    ends_with_status 0
    stdout_has "[OK] Disk: 3 GiB free (2 GiB needed)"
}

@test "0: the environment of another engine needs the whole space again" {
    disk 3
    mkdir -p "$VENVS/llm" && echo llm-cpu.txt >"$VENVS/llm/.ready"
    check ENGINE=cuda
    fails_with "Disk: 3 GiB free for $VENVS; 45 GiB are needed. Free some space, or put the environments elsewhere: VENVS_DIR=/big/disk/venvs"
}

@test "0: a folder that does not exist yet is judged by the one above it" {
    stub df <<<'echo "$*" >>"$RECORD/df"; printf "x\n/dev/sda1 1 1 104857600 1%% /\n"'
    check VENVS_DIR="$BOX/not/yet"
    ends_with_status 0
    same "first question to df" "-Pk $BOX" "$(head -n 1 "$RECORD/df")"
}

@test "0: 2 GiB of memory are an error, 5 GiB a warning" {
    memory 2
    check
    fails_with "Memory: 2 GiB; the smallest model needs 4 GiB. Under WSL raise it: memory=48GB below [wsl2] in %USERPROFILE%\\.wslconfig, then: wsl --shutdown"
    memory 5
    check
    ends_with_status 0
    stderr_is "[WARN] Memory: 5 GiB; 8 GiB are comfortable."
}

@test "0: a port that a stranger has is one error with the variable that moves it" {
    occupy "$PORT"
    check
    fails_with "Port $PORT is taken by another program$(owner "${STARTED[0]}"). Stop it, or choose another port: VLLM_PORT=$((PORT + 100)) ./quickstart.sh"
    check VLLM_PORT="$PORT2" RAG_PORT="$PORT"
    fails_with "Port $PORT is taken by another program$(owner "${STARTED[0]}"). Stop it, or choose another port: RAG_PORT=$((PORT + 100)) ./quickstart.sh"
}

@test "0: a port that our own server has is fine" {
    occupy "$PORT"
    lib -- write_pid "vllm-$PORT" "${STARTED[0]}" some-model
    check
    ends_with_status 0
    stdout_has "[OK] Port $PORT: our own server runs there (pid ${STARTED[0]})"
}

@test "0: CRLF line ends are one error that names the file" {
    local file
    copy_repo "$BOX/repo"
    SCRIPT="$BOX/repo/vllm/setup/0_check_system.sh"
    for file in lib/defaults.env serve_vllm.sh vllm/setup/3_install_pytorch.sh RAG/setup/0_create_venv_with_deps.sh; do
        sed -i 's/$/\r/' "$BOX/repo/$file"
        check
        ends_with_status 1
        [[ $stderr == "[ERROR] Line ends: CRLF in $BOX/repo/$file. Mend with: sed -i 's/\r$//' "* ]] || same "stderr with CRLF in $file" "one [ERROR]" "$stderr"
        sed -i 's/\r$//' "$BOX/repo/$file"
    done
    check
    ends_with_status 0
}

@test "0: CRLF line ends in a sourced file of lib/ are one error, too" {
    local file
    copy_repo "$BOX/repo"
    SCRIPT="$BOX/repo/vllm/setup/0_check_system.sh"
    for file in lib/common.sh lib/server.sh lib/venv.sh lib/llm.sh; do
        sed -i 's/$/\r/' "$BOX/repo/$file"
        run -1 --separate-stderr clean "$SCRIPT"
        [[ $stderr == "[ERROR] Line ends: CRLF in $BOX/repo/vllm/setup/../../$file. Mend with, in the toolkit's folder: sed -i 's/\r$//' "* ]] || same "stderr with CRLF in $file" "one [ERROR]" "$stderr"
        sed -i 's/\r$//' "$BOX/repo/$file"
    done
}

@test "0: a Python that is too old is a warning, for uv will fetch one" {
    stub python3 <<<'case "$*" in *version_info*) echo 3.10 ;; --version) echo "Python 3.10.12" ;; esac'
    check
    ends_with_status 0
    stderr_is "[WARN] Python: Python 3.10.12 is not 3.11 or 3.12 or 3.13; 3.12 will be fetched with uv."
}

@test "0: a GPU is named" {
    stub nvidia-smi <<<'case "$*" in
-L) echo "GPU 0: NVIDIA GeForce RTX 5090 (UUID: GPU-1)" ;;
"--query-gpu=name,memory.total,driver_version,compute_cap --format=csv,noheader") echo "NVIDIA GeForce RTX 5090, 32607 MiB, 581.57, 12.0" ;;
esac'
    stub nvcc <<<'echo "Cuda compilation tools, release 12.9, V12.9.41"'
    check
    ends_with_status 0
    stdout_has "[OK] GPU: NVIDIA GeForce RTX 5090, 32607 MiB, 581.57, 12.0 (name, memory, driver, compute capability; STACK=documented)"
    stdout_has "[OK] CUDA toolkit: 12.9"
    check STACK=current
    stdout_has "[OK] GPU: NVIDIA GeForce RTX 5090, 32607 MiB, 581.57, 12.0 (name, memory, driver, compute capability; STACK=current)"
    stub nvcc <<<'echo "Cuda compilation tools, release 12.8, V12.8.93"'
    check
    ends_with_status 0
    [[ $stderr == *"[WARN] CUDA toolkit: 12.8; FlashInfer needs 12.9 or newer"* ]]
    rm "$STUBS/nvcc"
    check
    [[ $stderr == *"[WARN] CUDA toolkit: nvcc is not there; FlashInfer needs 12.9 or newer"* ]]
    check ENGINE=cpu
    stdout_has "[OK] GPU: none used; vLLM runs on the CPU"
}

@test "0: WSL that has less than 40 GiB is told of the 48 in .wslconfig" {
    stub nvidia-smi <<<'echo "NVIDIA GeForce RTX 5090, 32607 MiB, 581.57, 12.0"'
    stub nvcc <<<'echo "Cuda compilation tools, release 13.0, V13.0.48"'
    echo "Linux version 6.6.87.2-microsoft-standard-WSL2" >"$BOX/version"
    check ENGINE=cuda PROC_VERSION="$BOX/version"
    ends_with_status 0
    [[ $stderr == *"[WARN] Memory: 16 GiB given to WSL; 48 are recommended. Write [wsl2] and below it memory=48GB into %USERPROFILE%\.wslconfig, then: wsl --shutdown"* ]]
}

@test "0: ENGINE=cuda without a GPU is not called [OK]" {
    check ENGINE=cuda
    same "lines that call the GPU fine" "" "$(grep -F '[OK] GPU' <<<"$output" || true)"
    [[ $stderr == *"GPU"* ]]
}

@test "0: an unknown ENGINE or STACK is one error" {
    check ENGINE=tpu
    only_fails_with "ENGINE=tpu is not known. Use ENGINE=auto, ENGINE=cuda or ENGINE=cpu."
    check STACK=old
    only_fails_with "STACK=old is not known. Use STACK=documented or STACK=current."
}

# --- 1 to 7 --------------------------------------------------------------------------------------

@test "1: the Python that will be used is named" {
    step 1_install_system_packages.sh ENGINE=cpu
    ends_with_status 0
    stdout_is "[OK] $("$REAL_PYTHON" --version) at $CORE/python3
[OK] Next: vllm/setup/2_create_venv.sh"
    stderr_is ""
}

@test "2: the environment is made for the set of ENGINE and STACK" {
    local settings lock
    stub python3 <<'PY'
case "$*" in
*version_info*) echo 3.12 ;;
--version) echo "Python 3.12.9" ;;
"-m venv --clear "*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
"-m pip --version") ;;
*) exit 1 ;;
esac
PY
    while read -r lock settings; do
        # shellcheck disable=SC2086  # several words
        step 2_create_venv.sh $settings
        ends_with_status 0
        [[ $output == *"[OK] $VENVS/llm is there (Python 3.12.9)"$'\n'"[OK] Next: vllm/setup/3_install_pytorch.sh" ]]
        same "$settings" "$lock" "$(cat "$VENVS/llm/.made-for")"
    done <<'CASES'
llm-cpu.txt ENGINE=cpu STACK=current
llm-cuda-documented.txt ENGINE=cuda
llm-cuda-current.txt ENGINE=cuda STACK=current
CASES
}

@test "3 to 7 without the environment name the step that makes it" {
    local name
    for name in 3_install_pytorch 4_install_vllm 5_install_flashinfer 6_download_model 7_verify_install; do
        step $name.sh ENGINE=cuda
        only_fails_with "$VENVS/llm does not exist or is broken. Create it with: vllm/setup/2_create_venv.sh"
    done
}

@test "3: torch that is there is left alone, other torch is replaced" {
    local pin
    pin="$(grep '^torch==' "$REPO/requirements/llm-cpu.txt")"
    llm_stub <<<"case \"\$*\" in *importlib.metadata*) echo '${pin#torch==}' ;; esac"
    step 3_install_pytorch.sh ENGINE=cpu
    ends_with_status 0
    stdout_is "[OK] $pin is installed"$'\n'"[OK] Next: vllm/setup/4_install_vllm.sh"
    same "calls of pip" "" "$(grep pip "$RECORD/calls" || true)"

    llm_stub <<<'case "$*" in *importlib.metadata*) echo 2.8.0 ;; esac'
    step 3_install_pytorch.sh ENGINE=cpu
    ends_with_status 0
    stdout_is "[TEST] Installing $pin"$'\n'"[OK] $pin is installed"$'\n'"[OK] Next: vllm/setup/4_install_vllm.sh"
    same "calls of pip install" "-m pip install --no-deps --extra-index-url https://download.pytorch.org/whl/cpu $pin" \
        "$(grep 'pip install' "$RECORD/calls")"
}

@test "3: torch that cannot be had is one error with what to check" {
    llm_stub <<<'case "$*" in *importlib.metadata*) exit 1 ;; *install*) echo "ERROR: no network" >&2; exit 1 ;; esac'
    step 3_install_pytorch.sh ENGINE=cuda
    stderr_has "ERROR: no network"
    fails_with "$(grep '^torch==' "$REPO/requirements/llm-cuda-documented.txt") could not be installed. Read pip's last lines above; check the network and the disk (df -h $VENVS), then run this again."
}

@test "4: what matches is left alone; the CPU build is mended, the GPU's is not" {
    llm_stub </dev/null
    step 4_install_vllm.sh ENGINE=cuda STACK=current
    ends_with_status 0
    stdout_is "[OK] $VENVS/llm matches requirements/llm-cuda-current.txt
[OK] Next: vllm/setup/5_install_flashinfer.sh"
    [[ -e $VENVS/llm/.ready ]]
    same "calls of python" "" "$(grep -v -e '^-c ' -e 'environment check' "$RECORD/calls" || true)"
    step 4_install_vllm.sh ENGINE=cpu
    ends_with_status 0
    same "calls of python" "-m scifi_llm.serving.cpu_build" "$(grep -v -e '^-c ' -e 'environment check' "$RECORD/calls")"
}

@test "4: a failed installation leaves the environment unready" {
    llm_stub <<<'case "$*" in *check*) echo vllm; exit 1 ;; *install*) exit 1 ;; esac'
    step 4_install_vllm.sh ENGINE=cuda
    ends_with_status 1
    [[ $stderr == "[ERROR] Not all packages of requirements/llm-cuda-documented.txt could be installed (missing: vllm"* ]]
    [[ ! -e $VENVS/llm/.ready ]]
}

@test "5: FlashInfer is named on a GPU and not needed on a CPU" {
    llm_stub <<<'case "$*" in *flashinfer-python*) echo 0.3.1 ;; esac'
    step 5_install_flashinfer.sh ENGINE=cpu
    ends_with_status 0
    stdout_is $'[OK] FlashInfer: nothing to do without a GPU\n[OK] Next: vllm/setup/6_download_model.sh'
    step 5_install_flashinfer.sh ENGINE=cuda
    ends_with_status 0
    stdout_is $'[OK] FlashInfer 0.3.1\n[OK] Next: vllm/setup/6_download_model.sh'
    llm_stub <<<'case "$*" in *flashinfer-python*) exit 1 ;; esac'
    step 5_install_flashinfer.sh ENGINE=cuda
    only_fails_with "flashinfer-python is not installed. Run: vllm/setup/4_install_vllm.sh"
}

@test "an unknown ENGINE ends every step with the one error" {
    local name
    llm_stub <<<'case "$*" in *flashinfer-python*) echo 0.3.1 ;; esac'
    for name in 1_install_system_packages 2_create_venv 3_install_pytorch 4_install_vllm 5_install_flashinfer 6_download_model 7_verify_install; do
        step $name.sh ENGINE=tpu
        only_fails_with "ENGINE=tpu is not known. Use ENGINE=auto, ENGINE=cuda or ENGINE=cpu." || { echo "in step $name" >&2 && return 1; }
    done
}

@test "6: the named model is made ready; the bundled one comes with a warning" {
    llm_stub <<<'case "$*" in *"models default cpu") echo SmolLM2-135M-Instruct ;; *prepare*) echo /somewhere ;; esac'
    step 6_download_model.sh ENGINE=cpu MODEL=Qwen/Qwen2.5-1.5B-Instruct
    ends_with_status 0
    stdout_is "[OK] Next: vllm/setup/7_verify_install.sh"
    stderr_is ""
    same "last call" "-m scifi_llm.serving.models prepare Qwen/Qwen2.5-1.5B-Instruct" "$(tail -n 1 "$RECORD/calls")"
    step 6_download_model.sh ENGINE=cpu
    ends_with_status 0
    same "last call" "-m scifi_llm.serving.models prepare SmolLM2-135M-Instruct" "$(tail -n 1 "$RECORD/calls")"
    [[ $stderr == "[WARN] SmolLM2-135M-Instruct only proves the installation: "*"MODEL=Qwen/Qwen2.5-1.5B-Instruct ./quickstart.sh"* ]]
}

@test "6: a model that cannot be had ends the step" {
    llm_stub <<<'case "$*" in *prepare*) echo "[ERROR] The hub has no model no/such. Check the name." >&2; exit 1 ;; esac'
    step 6_download_model.sh ENGINE=cpu MODEL=no/such
    only_fails_with "The hub has no model no/such. Check the name."
}

@test "7: versions are named; a difference or a vLLM that does not import is one error" {
    llm_stub <<<'case "$*" in *"import torch"*) echo "torch 2.8.0, transformers 4.56.0, vLLM 0.10.2" ;; *serving.verify*) echo "[OK] vLLM generates: $*" ;; esac'
    step 7_verify_install.sh ENGINE=cuda MODEL=some/model
    ends_with_status 0
    stdout_is "[OK] All versions are those of requirements/llm-cuda-documented.txt
[OK] torch 2.8.0, transformers 4.56.0, vLLM 0.10.2
[TEST] Generating a few words with some/model
[OK] vLLM generates: -m scifi_llm.serving.verify some/model cuda
[OK] Next: ./serve_vllm.sh"
    llm_stub <<<'case "$*" in *serving.verify*) echo "out of memory" >&2; exit 1 ;; esac'
    step 7_verify_install.sh ENGINE=cuda MODEL=some/model
    ends_with_status 1
    [[ $stderr == *"out of memory"*"[ERROR] vLLM does not generate with some/model; the last lines are above."* ]]
    llm_stub <<<'case "$*" in *check*) printf "numpy\ntorch\n"; exit 1 ;; esac'
    step 7_verify_install.sh ENGINE=cuda
    only_fails_with "These differ from requirements/llm-cuda-documented.txt: numpy torch Run: vllm/setup/4_install_vllm.sh"
    llm_stub <<<'case "$*" in *"import torch"*) exit 1 ;; esac'
    step 7_verify_install.sh ENGINE=cuda
    fails_with "vLLM does not import. Make the environment anew: rm -r $VENVS/llm && vllm/setup/2_create_venv.sh"
}
