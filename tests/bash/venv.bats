#!/usr/bin/env bats
# lib/venv.sh: find a Python, create an environment, bring it to its pins. No package is installed.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

setup_file() {
    prepare_file
    # One real environment with pip, made by the code under test, for the tests to look at.
    export MADE="$BATS_FILE_TMPDIR/made" MADE_OUT="$BATS_FILE_TMPDIR/made.out" MADE_ERR="$BATS_FILE_TMPDIR/made.err"
    export MADE_STATUS=0
    BATS_TEST_TMPDIR="$BATS_FILE_TMPDIR" sandbox
    lib VENVS_DIR="$MADE" -- create_venv demo demo.txt "3.11 3.12 3.13" >"$MADE_OUT" 2>"$MADE_ERR" || MADE_STATUS=$?
}
setup() {
    sandbox
    CALLS="$RECORD/calls"
    touch "$CALLS"
}
teardown() { clean_up; }

# python_stub NAME VERSION: a Python that says it is of this version and can make environments.
python_stub() {
    stub "$1" <<PY
case "\$*" in
*version_info*) echo "$2" ;;
--version) echo "Python $2.9" ;;
"-m venv --clear "*) mkdir -p "\$4/bin"; cp "\$0" "\$4/bin/python"; rm -f "\$4/leftover" ;;
"-m pip --version") echo "pip 24.0" ;;
*) echo "$1 was asked: \$*" >&2; exit 1 ;;
esac
PY
}

# pip_stub [BODY]: the environment demo, whose python writes down each call.
pip_stub() {
    { printf 'printf "%%s\\n" "$*" >>"%s"\n' "$CALLS" && cat; } | program "$VENVS/demo/bin/python"
}

calls_are() { same "calls of python" "$1" "$(cat "$CALLS")"; }

cpu_lock() { printf 'numpy==2.3.0\ntorch==2.13.0+cpu\n' >"$BOX/cpu.txt"; }

# --- find_python ---------------------------------------------------------------------------------

@test "find_python takes python3 where it fits" {
    python_stub python3 3.12
    run --separate-stderr lib -- find_python "3.11 3.12"
    ends_with_status 0
    stdout_is "$STUBS/python3"
    stderr_is ""
}

@test "find_python takes the next one where python3 is of another version" {
    python_stub python3 3.13
    python_stub python3.12 3.12
    run --separate-stderr lib -- find_python 3.12
    ends_with_status 0
    stdout_is "$STUBS/python3.12"
    stderr_is ""
}

@test "find_python passes over a shim of pyenv that has nothing behind it" {
    stub python3 <<<'echo "pyenv: python3: command not found" >&2; exit 127'
    stub python3.12 <<<'echo "pyenv: python3.12: command not found" >&2; exit 127'
    python_stub python3.11 3.11
    run --separate-stderr lib -- find_python "3.11 3.12 3.13"
    ends_with_status 0
    stdout_is "$STUBS/python3.11"
    stderr_is ""
}

@test "PYTHON= is taken before python3" {
    python_stub python3 3.12
    python_stub my-python 3.11
    run --separate-stderr lib PYTHON="$STUBS/my-python" -- find_python "3.11 3.12"
    ends_with_status 0
    stdout_is "$STUBS/my-python"
}

@test "where Python is too old, uv fetches 3.12" {
    python_stub python3 3.10
    python_stub fetched 3.12
    stub uv <<<'echo "uv $*" >>"$RECORD/calls"; [[ $* != "python find 3.12" ]] || echo "${0%/*}/fetched"'
    run --separate-stderr lib -- find_python "3.11 3.12 3.13"
    ends_with_status 0
    stdout_is "$STUBS/fetched"
    stderr_is "[WARN] No Python 3.11 or 3.12 or 3.13 here (Python 3.10.9); asking uv for 3.12.
[OK] Python 3.12 by uv: $STUBS/fetched"
    calls_are $'uv python install 3.12\nuv python find 3.12'
}

@test "where Python is too old and pip brings uv, that uv fetches 3.12" {
    stub python3 <<'PY'
case "$*" in
*version_info*) echo 3.10 ;;
--version) echo "Python 3.10.12" ;;
"-m venv "*)
    mkdir -p "$3/bin"
    printf '#!/bin/sh\necho "pip $*" >>"$RECORD/calls"\ncp "$RECORD/uv" "${0%%/*}/uv"\n' >"$3/bin/pip"
    chmod +x "$3/bin/pip" ;;
esac
PY
    python_stub fetched 3.12
    program "$RECORD/uv" <<<"echo \"uv \$*\" >>\"\$RECORD/calls\"; [[ \$2 != find ]] || echo $STUBS/fetched"
    run --separate-stderr lib -- find_python 3.12
    ends_with_status 0
    stdout_is "$STUBS/fetched"
    calls_are "pip install --quiet uv==$(sed -n 's/^UV_VERSION=//p' "$REPO/lib/defaults.env")
uv python install 3.12
uv python find 3.12"
}

@test "where Python is too old and uv cannot be had, one error names the command" {
    stub python3 <<<'case "$*" in *version_info*) echo 3.10 ;; --version) echo "Python 3.10.12" ;; *) exit 1 ;; esac'
    run --separate-stderr lib -- find_python "3.11 3.12 3.13"
    fails_with "Python 3.11 or 3.12 or 3.13 is needed and uv could not get it. Install it with: sudo apt install python3.12 python3.12-venv (Ubuntu 22.04: curl -LsSf https://astral.sh/uv/install.sh | sh; then: uv python install 3.12), and run this again."
    stdout_is ""
}

# --- create_venv ---------------------------------------------------------------------------------

@test "create_venv makes an environment with pip" {
    local version
    version="$("$REAL_PYTHON" --version)"
    same "status" 0 "$MADE_STATUS"
    same "stderr" "" "$(cat "$MADE_ERR")"
    same "stdout" "[TEST] Creating $MADE/demo with $version"$'\n'"[OK] $MADE/demo is there ($version)" "$(cat "$MADE_OUT")"
    "$MADE/demo/bin/python" -m pip --version
    same ".made-for" demo.txt "$(cat "$MADE/demo/.made-for")"
}

@test "create_venv keeps a working environment" {
    mkdir -p "$VENVS"
    cp -a "$MADE/demo" "$VENVS/demo"
    touch "$VENVS/demo/leftover"
    run --separate-stderr lib -- create_venv demo demo.txt "3.11 3.12 3.13"
    ends_with_status 0
    stdout_is "[OK] $VENVS/demo is there ($("$REAL_PYTHON" --version))"
    stderr_is ""
    [[ -e $VENVS/demo/leftover ]]
}

@test "create_venv makes a broken environment anew" {
    python_stub python3 3.12
    mkdir -p "$VENVS/demo/bin"
    echo demo.txt >"$VENVS/demo/.made-for"
    program "$VENVS/demo/bin/python" <<<'exit 127'
    touch "$VENVS/demo/leftover"
    run --separate-stderr lib -- create_venv demo demo.txt 3.12
    ends_with_status 0
    stderr_is "[WARN] $VENVS/demo is incomplete or of another Python; making it anew."
    stdout_is "[TEST] Creating $VENVS/demo with Python 3.12.9"$'\n'"[OK] $VENVS/demo is there (Python 3.12.9)"
    [[ ! -e $VENVS/demo/leftover ]]
}

@test "create_venv makes an environment without pip anew" {
    python_stub python3 3.12
    program "$VENVS/demo/bin/python" <<<'[[ $* == *version_info* ]] && echo 3.12'
    echo demo.txt >"$VENVS/demo/.made-for"
    run --separate-stderr lib -- create_venv demo demo.txt 3.12
    ends_with_status 0
    stderr_is "[WARN] $VENVS/demo is incomplete or of another Python; making it anew."
    "$VENVS/demo/bin/python" -m pip --version
}

@test "create_venv makes an environment of another Python anew" {
    python_stub python3.12 3.12
    python_stub python3.13 3.13
    mkdir -p "$VENVS/demo/bin"
    cp "$STUBS/python3.13" "$VENVS/demo/bin/python"
    echo demo.txt >"$VENVS/demo/.made-for"
    run --separate-stderr lib PYTHON=python3.12 -- create_venv demo demo.txt 3.12
    ends_with_status 0
    stderr_is "[WARN] $VENVS/demo is incomplete or of another Python; making it anew."
    same "its version" "Python 3.12.9" "$("$VENVS/demo/bin/python" --version)"
}

@test "create_venv makes an environment anew whose making was interrupted" {
    python_stub python3 3.12
    mkdir -p "$VENVS/demo/bin"
    cp "$STUBS/python3" "$VENVS/demo/bin/python"
    touch "$VENVS/demo/leftover"
    run --separate-stderr lib -- create_venv demo demo.txt 3.12
    ends_with_status 0
    stderr_is "[WARN] $VENVS/demo is incomplete or of another Python; making it anew."
    [[ ! -e $VENVS/demo/leftover ]]
    same ".made-for" demo.txt "$(cat "$VENVS/demo/.made-for")"
}

@test "create_venv makes an environment of another engine's set anew" {
    local was=llm-cpu.txt now=llm-cuda-documented.txt round
    python_stub python3 3.12
    lib -- create_venv demo $was 3.12
    for round in 1 2; do
        touch "$VENVS/demo/leftover"
        run --separate-stderr lib -- create_venv demo $now 3.12
        ends_with_status 0
        stderr_is "[WARN] $VENVS/demo was made for requirements/$was; making it anew for requirements/$now."
        [[ ! -e $VENVS/demo/leftover ]]
        same "round $round: .made-for" $now "$(cat "$VENVS/demo/.made-for")"
        was=llm-cuda-documented.txt now=llm-cpu.txt
    done
}

@test "without ensurepip and without uv one error names python3-venv" {
    stub python3 <<'PY'
case "$*" in
*version_info*) echo 3.12 ;;
--version) echo "Python 3.12.3" ;;
*) echo "The virtual environment was not created successfully because ensurepip is not available." >&2; exit 1 ;;
esac
PY
    run --separate-stderr lib -- create_venv demo demo.txt 3.12
    fails_with "$STUBS/python3 cannot create environments. Install its venv module with: sudo apt install python3-venv, and run this again."
    [[ ! -e $VENVS/demo/.made-for ]]
}

@test "without ensurepip uv makes the environment, on the same Python" {
    stub python3 <<<'case "$*" in *version_info*) echo 3.12 ;; --version) echo "Python 3.12.3" ;; *) exit 1 ;; esac'
    stub uv <<<'echo "uv $*" >>"$RECORD/calls"; mkdir -p "${@: -1}/bin"; cp "${0%/*}/python3" "${@: -1}/bin/python"'
    run --separate-stderr lib -- create_venv demo demo.txt 3.12
    ends_with_status 0
    calls_are "uv venv --quiet --seed --clear --python $STUBS/python3 $VENVS/demo"
    same ".made-for" demo.txt "$(cat "$VENVS/demo/.made-for")"
}

# --- install_torch -------------------------------------------------------------------------------

@test "install_torch asks PyTorch's index where pip has no configuration" {
    cpu_lock
    pip_stub </dev/null
    run --separate-stderr lib -- install_torch "$VENVS/demo/bin/python" "$BOX/cpu.txt"
    ends_with_status 0
    calls_are "-m pip config list
-m pip install --no-deps --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu"
}

@test "install_torch asks a machine's own sources alone where they have torch" {
    cpu_lock
    pip_stub <<<"[[ \$* != '-m pip config list' ]] || echo \"global.find-links='/srv/wheels'\""
    run --separate-stderr lib -- install_torch "$VENVS/demo/bin/python" "$BOX/cpu.txt"
    ends_with_status 0
    calls_are "-m pip config list
-m pip install --no-deps --retries 1 torch==2.13.0+cpu"
}

@test "install_torch goes on to PyTorch's index where a machine's own sources lack torch" {
    local setting
    cpu_lock
    pip_stub <<<'[[ $* != *--retries* ]] || { echo "no matching distribution" >&2; exit 1; }'
    for setting in PIP_FIND_LINKS=/srv/wheels PIP_INDEX_URL=http://mirror/simple PIP_EXTRA_INDEX_URL=http://mirror/simple; do
        : >"$CALLS"
        run --separate-stderr lib "$setting" -- install_torch "$VENVS/demo/bin/python" "$BOX/cpu.txt"
        ends_with_status 0
        # What is mended needs no message.
        stderr_is ""
        calls_are "-m pip config list
-m pip install --no-deps --retries 1 torch==2.13.0+cpu
-m pip install --no-deps --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu"
    done
}

@test "install_torch sees a machine's own sources however slowly pip lists them" {
    cpu_lock
    pip_stub <<<"[[ \$* != '-m pip config list' ]] || { echo \"global.find-links='/srv/wheels'\"; sleep 0.3; echo \"global.timeout='60'\"; echo \"install.x='y'\"; }"
    run --separate-stderr lib -- install_torch "$VENVS/demo/bin/python" "$BOX/cpu.txt"
    ends_with_status 0
    calls_are "-m pip config list
-m pip install --no-deps --retries 1 torch==2.13.0+cpu"
}

@test "install_torch installs CUDA's torch plainly, and nothing where a set has none" {
    pip_stub </dev/null
    run --separate-stderr lib -- install_torch "$VENVS/demo/bin/python" "$REPO/requirements/llm-cuda-documented.txt"
    ends_with_status 0
    calls_are "-m pip install --no-deps $(grep '^torch==' "$REPO/requirements/llm-cuda-documented.txt")"
    : >"$CALLS"
    echo "pyyaml==6.0" >"$BOX/none.txt"
    run --separate-stderr lib -- install_torch "$VENVS/demo/bin/python" "$BOX/none.txt"
    ends_with_status 0
    calls_are ""
}

# --- install_pins and ensure_venv ----------------------------------------------------------------

@test "a matching environment is left alone" {
    copy_repo "$BOX/repo"
    printf 'pip==%s\n' "$("$MADE/demo/bin/python" -m pip --version | cut -d ' ' -f 2)" >"$BOX/repo/requirements/demo.txt"
    cp -a "$MADE/demo" "$VENVS/demo"
    rm "$VENVS/demo/bin/python"
    # pip install would be asked of this one.
    program "$VENVS/demo/bin/python" <<<"echo \"\$*\" >>\"$CALLS\"; exec \"$MADE/demo/bin/python\" \"\$@\""
    run --separate-stderr lib REPO="$BOX/repo" -- install_pins demo demo.txt "1 GB"
    ends_with_status 0
    stdout_is "[OK] $VENVS/demo matches requirements/demo.txt"
    stderr_is ""
    calls_are "-m scifi_llm.environment check $BOX/repo/requirements/demo.txt"
}

@test "what is missing is installed: torch first, then the set, without dependencies" {
    pip_stub <<'PY'
case "$*" in
*"environment check"*) [[ -e $RECORD/done ]] || { printf 'torch\nnumpy\n'; exit 1; } ;;
*" -r "*) touch "$RECORD/done" ;;
-c*) exit 1 ;;
esac
PY
    run --separate-stderr lib -- install_pins demo llm-cuda-documented.txt "9 GB, about 10 minutes"
    ends_with_status 0
    stdout_is "[TEST] Installing 2 packages of requirements/llm-cuda-documented.txt into $VENVS/demo (9 GB, about 10 minutes)
[OK] $VENVS/demo matches requirements/llm-cuda-documented.txt"
    calls_are "-m scifi_llm.environment check $REPO/requirements/llm-cuda-documented.txt
-m pip install --no-deps $(grep '^torch==' "$REPO/requirements/llm-cuda-documented.txt")
-m pip install --no-deps -r $REPO/requirements/llm-cuda-documented.txt
-m scifi_llm.environment check $REPO/requirements/llm-cuda-documented.txt"
}

@test "beside a CPU torch the CUDA packages that break it are removed" {
    pip_stub <<'PY'
case "$*" in
*"environment check"*) [[ -e $RECORD/done ]] || { echo torch; exit 1; } ;;
*" -r "*) touch "$RECORD/done" ;;
*"m.version('torchvision')"*) exit 0 ;;
-c*) exit 1 ;;
esac
PY
    run --separate-stderr lib -- install_pins demo rag.txt "1 GB"
    ends_with_status 0
    same "what pip was asked to remove" "-m pip uninstall --quiet --yes torchvision" "$(grep uninstall "$CALLS")"
}

@test "where pip fails, one error names what is missing and what to check" {
    pip_stub <<'PY'
case "$*" in
*"environment check"*) printf 'torch\nnumpy\npyyaml\nregex\n'; exit 1 ;;
*"pip install"*) echo "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device" >&2; exit 1 ;;
esac
PY
    run --separate-stderr lib -- install_pins demo llm-cuda-documented.txt "9 GB"
    ends_with_status 1
    stderr_has "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    fails_with "Not all packages of requirements/llm-cuda-documented.txt could be installed (missing: torch numpy pyyaml). Read pip's last lines above, check the network and the disk (df -h $VENVS), and run this again."
}

@test "an environment that cannot be compared is one error with the fix" {
    pip_stub <<<'echo "Traceback: broken" >&2; exit 1'
    run --separate-stderr lib -- install_pins demo rag.txt "1 GB"
    fails_with "$VENVS/demo could not be compared with requirements/rag.txt. Remove it with: rm -r $VENVS/demo, and run this again."
}

@test "a second set-up of an environment waits for the first and says so" {
    local first second
    background "$CORE/flock" "$VENVS/.demo.lock" "$CORE/sleep" 30
    first=$!
    # shellcheck disable=SC2016  # bash tries the lock, the child is only a try
    wait_for bash -c '! flock --nonblock "$1" true' _ "$VENVS/.demo.lock"
    lib -- 'with_venv_lock demo touch "$RECORD/second"' >"$BOX/out" 2>"$BOX/err" 3>&- &
    second=$!
    STARTED+=("$second")
    wait_for grep -q WARN "$BOX/err"
    same "stderr" "[WARN] Another set-up of $VENVS/demo is still at work; waiting for it (Ctrl+C gives up)." "$(cat "$BOX/err")"
    sleep 0.3
    [[ ! -e $RECORD/second ]]
    # Another environment is free meanwhile.
    lib -- 'with_venv_lock other touch "$RECORD/other"'
    [[ -e $RECORD/other ]]
    kill -KILL -- "-$first"
    wait "$second"
    [[ -e $RECORD/second ]]
}

@test "the status of a command under the lock is kept" {
    run --separate-stderr lib -- 'with_venv_lock demo bash -c "exit 7"'
    ends_with_status 7
}

@test "RAG/0_create_venv_with_deps.sh makes, fills and then keeps ~/.venvs/rag" {
    stub python3 <<'PY'
echo "$*" >>"$RECORD/calls"
case "$*" in
*version_info*) echo 3.12 ;;
--version) echo "Python 3.12.9" ;;
"-m venv --clear "*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
*"environment check"*) [[ -e $RECORD/done ]] || { echo torch; exit 1; } ;;
*" -r "*) touch "$RECORD/done" ;;
-c*) exit 1 ;;
esac
PY
    run --separate-stderr clean "$REPO/RAG/setup/0_create_venv_with_deps.sh"
    ends_with_status 0
    stderr_is ""
    stdout_is "[TEST] Creating $VENVS/rag with Python 3.12.9
[OK] $VENVS/rag is there (Python 3.12.9)
[TEST] Installing 1 packages of requirements/rag.txt into $VENVS/rag (2.2 GB, about 2 minutes)
[OK] $VENVS/rag matches requirements/rag.txt
[OK] Next: RAG/1_ingest.py"
    : >"$CALLS"
    run --separate-stderr clean "$REPO/RAG/0_create_venv_with_deps.sh"
    ends_with_status 0
    stdout_is "[OK] $VENVS/rag is there (Python 3.12.9)
[OK] $VENVS/rag matches requirements/rag.txt
[OK] Next: RAG/1_ingest.py"
    same "calls of pip install" "" "$(grep 'pip install' "$CALLS" || true)"
}

@test "Ctrl+C while pip installs is told as such" {
    stub python3 <<'PY'
case "$*" in
*version_info*) echo 3.12 ;;
--version) echo "Python 3.12.9" ;;
"-m venv --clear "*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
*"environment check"*) echo torch; exit 1 ;;
*" -r "*) kill -INT "$PPID"; exit 1 ;;
-c*) exit 1 ;;
esac
PY
    run --separate-stderr clean env --default-signal=INT "$REPO/RAG/setup/0_create_venv_with_deps.sh"
    ends_with_status 130
    stderr_is "[WARN] Interrupted. Run this again; it goes on from here."
}
