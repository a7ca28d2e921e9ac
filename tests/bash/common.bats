#!/usr/bin/env bats
# lib/common.sh, and what every script has in common: prefixes, streams, help, defaults.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

setup_file() { prepare_file; }
setup() { sandbox; }
teardown() { clean_up; }

# scripts: every script that a user starts.
scripts() {
    (cd "$REPO" && printf '%s\n' ./*.sh RAG/setup/*.sh RAG/*.sh vllm/setup/*.sh requirements/lock.sh)
}

# header FILE: the comment below the first line, without its marks.
header() {
    local line
    {
        read -r line
        while IFS= read -r line && [[ $line == \#* ]]; do
            line="${line#\#}"
            printf '%s\n' "${line# }"
        done
    } <"$1"
}

@test "[TEST] and [OK] go to stdout, [WARN] and [ERROR] to stderr" {
    run --separate-stderr lib -- 'log_test "a  b" c; log_ok d; log_warn e; log_error f'
    ends_with_status 0
    stdout_is $'[TEST] a  b c\n[OK] d'
    stderr_is $'[WARN] e\n[ERROR] f'
}

@test "a message may hold percent signs and backslashes" {
    run --separate-stderr lib -- 'log_ok "100%s \n"; die "50%d" "\t"'
    stdout_is '[OK] 100%s \n'
    stderr_is '[ERROR] 50%d \t'
}

@test "die prints problem and fix as one line and ends with status 1" {
    run --separate-stderr lib -- 'die "It broke." "Mend it with: glue"; echo "went on"'
    only_fails_with "It broke. Mend it with: glue"
}

@test "the next step is named, but not inside quickstart.sh" {
    run --separate-stderr lib -- 'log_next ./serve_vllm.sh'
    stdout_is "[OK] Next: ./serve_vllm.sh"
    run --separate-stderr lib IN_QUICKSTART=yes -- 'log_next ./serve_vllm.sh'
    ends_with_status 0
    stdout_is ""
}

@test "--help and -h of every script print its header comment, without any environment" {
    local script count=0
    while read -r script; do
        run --separate-stderr clean PATH=/usr/bin:/bin "$REPO/$script" --help
        ends_with_status 0
        same "$script --help" "$(header "$REPO/$script")" "$output"
        stderr_is ""
        run --separate-stderr clean PATH=/usr/bin:/bin "$REPO/$script" -h
        ends_with_status 0
        same "$script -h" "$(header "$REPO/$script")" "$output"
        count=$((count + 1))
    done < <(scripts)
    ((count >= 16))
    # Help alone makes nothing.
    same "what --help left behind" "" "$(find "$VENVS" "$RUN" -mindepth 1)"
}

@test "every help names the usage and holds the script's own name" {
    local script help
    while read -r script; do
        help="$(header "$REPO/$script")"
        [[ $help == *"Usage: "*"${script##*/}"* ]] || {
            echo "no usage in the header of $script" >&2
            return 1
        }
    done < <(scripts)
}

@test "an unknown option of every script is one error that names --help" {
    local script problem
    stub uv <<<'exit 0'
    while read -r script; do
        case "$script" in
        # Their words are read by Python; monitor_vllm.bats and health_checks.bats ask them.
        ./monitor_vllm.sh | vllm/health_checks/*) continue ;;
        ./serve_vllm.sh) problem="Unknown option: --bogus See: $REPO/$script --help (options of vLLM go behind --)" ;;
        ./stop_vllm.sh | ./serve_rag_proxy.sh) problem="Unknown option: --bogus See: $REPO/$script --help" ;;
        ./run_tests.sh) problem="There is no part --bogus. See: $REPO/$script --help" ;;
        requirements/lock.sh) problem="There is no requirements/--bogus.in. See: $REPO/$script --help" ;;
        *) problem="Unknown argument: --bogus See: $REPO/$script --help" ;;
        esac
        run --separate-stderr clean "$REPO/$script" --bogus
        only_fails_with "$problem"
    done < <(scripts)
}

@test "an option that stands last without its value is an error" {
    run --separate-stderr clean "$REPO/stop_vllm.sh" --timeout
    only_fails_with "--timeout needs a value. See: $REPO/stop_vllm.sh --help"
    run --separate-stderr clean "$REPO/serve_rag_proxy.sh" --port
    only_fails_with "--port needs a value. See: $REPO/serve_rag_proxy.sh --help"
    run --separate-stderr clean "$REPO/serve_rag_proxy.sh" scifi_world --upstream
    only_fails_with "--upstream needs a value. See: $REPO/serve_rag_proxy.sh --help"
}

@test "lib/defaults.env gives what the environment does not set; the environment wins" {
    local fixed
    fixed="$(sed -n 's/^VLLM_PORT=//p' "$REPO/lib/defaults.env")"
    [[ $fixed =~ ^[0-9]+$ ]]
    run --separate-stderr lib VLLM_PORT=28123 CPU_MODEL= -- 'echo "$VLLM_PORT $CPU_MODEL $RAG_PORT"'
    ends_with_status 0
    stdout_is "28123 $(sed -n 's/^CPU_MODEL=//p' "$REPO/lib/defaults.env") $(sed -n 's/^RAG_PORT=//p' "$REPO/lib/defaults.env")"
    run --separate-stderr lib -- 'echo "$VLLM_PORT"'
    stdout_is "$fixed"
}

@test "scripts and Python read the same defaults" {
    local python bash
    bash="$(lib -- 'while IFS== read -r name _; do [[ -z $name || $name == \#* ]] || echo "$name=${!name}"; done <"$REPO/lib/defaults.env"')"
    python="$(clean PYTHONPATH="$REPO/src" python3 -c 'from scifi_llm.settings import defaults, setting
print("\n".join(f"{name}={setting(name)}" for name in defaults()))')"
    [[ $bash == *VLLM_PORT=* ]]
    same "defaults" "$bash" "$python"
}

@test "require_venv prints the environment's python, or names the script that makes it" {
    program "$VENVS/rag/bin/python" <<<'exit 0'
    run --separate-stderr lib -- 'require_venv rag RAG/0_create_venv_with_deps.sh'
    ends_with_status 0
    stdout_is "$VENVS/rag/bin/python"
    program "$VENVS/rag/bin/python" <<<'exit 127'
    run --separate-stderr lib -- 'require_venv rag RAG/0_create_venv_with_deps.sh'
    only_fails_with "$VENVS/rag does not exist or is broken. Create it with: RAG/0_create_venv_with_deps.sh"
}

@test "ENGINE=auto takes the GPU where nvidia-smi lists one, else the CPU" {
    run --separate-stderr lib -- chosen_engine
    stdout_is cpu
    stub nvidia-smi <<<'echo "No devices were found" >&2; exit 6'
    run --separate-stderr lib -- chosen_engine
    stdout_is cpu
    stub nvidia-smi <<<'[[ $* == -L ]] && echo "GPU 0: NVIDIA GeForce RTX 5090 (UUID: GPU-1)"'
    run --separate-stderr lib ENGINE=auto -- chosen_engine
    stdout_is cuda
    run --separate-stderr lib ENGINE=cpu -- chosen_engine
    stdout_is cpu
    ends_with_status 0
}

@test "ENGINE=auto takes the GPU of a machine with several, however slowly they are listed" {
    stub nvidia-smi <<<'echo "GPU 0: NVIDIA A100"; sleep 0.3; echo "GPU 1: NVIDIA A100"; echo "GPU 2: NVIDIA A100"'
    run --separate-stderr lib -- chosen_engine
    ends_with_status 0
    stdout_is cuda
}

@test "an unknown ENGINE or STACK is one error with the words to use" {
    run --separate-stderr lib ENGINE=rocm -- chosen_engine
    only_fails_with "ENGINE=rocm is not known. Use ENGINE=auto, ENGINE=cuda or ENGINE=cpu."
    run --separate-stderr lib STACK=newest -- chosen_stack
    only_fails_with "STACK=newest is not known. Use STACK=documented or STACK=current."
}

@test "the requirement set follows ENGINE and STACK, and each set exists" {
    run --separate-stderr lib ENGINE=cpu STACK=current -- llm_lock
    stdout_is llm-cpu.txt
    run --separate-stderr lib ENGINE=cuda -- llm_lock
    stdout_is llm-cuda-documented.txt
    run --separate-stderr lib ENGINE=cuda STACK=current -- llm_lock
    stdout_is llm-cuda-current.txt
    [[ -s $REPO/requirements/llm-cpu.txt && -s $REPO/requirements/llm-cuda-documented.txt && -s $REPO/requirements/llm-cuda-current.txt ]]
}

@test "no requirement set and no script names a folder of wheels on one machine" {
    run grep -nE -- '--find-links[= ]+[^"$]|file:|/opt/' "$REPO"/requirements/*.txt "$REPO"/requirements/*.in "$REPO"/requirements/lock.sh \
        "$REPO"/lib/* "$REPO"/*.sh "$REPO"/RAG/setup/*.sh "$REPO"/vllm/setup/*.sh
    same "lines that name one" "" "$output"
    same "status of grep" 1 "$status"
}

@test "the scripts work from a folder whose name has spaces, and through a link" {
    local copy="$BOX/My Novel/tool kit"
    copy_repo "$copy"
    ln -s "$copy/stop_vllm.sh" "$BOX/stop"
    run --separate-stderr clean VLLM_PORT="$(free_port)" "$BOX/stop"
    ends_with_status 0
    stderr_is ""
    run --separate-stderr clean VLLM_PORT="$(free_port)" RAG_PORT="$(free_port)" "$copy/quickstart.sh" --stop
    ends_with_status 0
    stderr_is ""
}
