# Sourced by the scripts that make environments: find a Python, create, compare, install.
# shellcheck shell=bash

# python_fits PYTHON VERSIONS: does this program run, and is it one of "3.11 3.12"?
python_fits() {
    local version
    version="$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" || return 1
    [[ " $2 " == *" $version "* ]]
}

# find_python VERSIONS: print a Python of one of these versions; uv fetches 3.12 where there is none.
find_python() {
    local candidate uv
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.11 python3.13; do
        if python_fits "$candidate" "$1"; then
            command -v "$candidate"
            return
        fi
    done
    log_warn "No Python of version ${1// / or } here ($(python3 --version 2>&1 | head -n 1)); asking uv for 3.12."
    if uv="$(find_uv)" && "$uv" python install 3.12 >&2 && candidate="$("$uv" python find 3.12)" &&
        python_fits "$candidate" "$1"; then
        log_ok "Python 3.12 by uv: $candidate"
        printf '%s' "$candidate"
        return
    fi
    die "Python ${1// / or } is needed and uv could not get it." \
        "Install it with: sudo apt install python3.12 python3.12-venv (Ubuntu 22.04: curl -LsSf https://astral.sh/uv/install.sh | sh; then: uv python install 3.12), and run this again."
}

# find_uv: print uv's path; pip puts it into ~/.venvs/tools where the machine has none.
find_uv() {
    if has uv; then
        command -v uv
        return
    fi
    local tools="$VENVS_DIR/tools"
    if [[ ! -x $tools/bin/uv ]]; then
        python3 -m venv "$tools" >&2 && "$tools/bin/pip" install --quiet "uv==$UV_VERSION" >&2 || return 1
    fi
    printf '%s' "$tools/bin/uv"
}

# pip_has_own_sources: does this machine's pip look anywhere but at the public index?
pip_has_own_sources() {
    "$1" -m pip config list 2>/dev/null | grep -qE '(find-links|index-url)=' ||
        [[ -n ${PIP_FIND_LINKS:-}${PIP_INDEX_URL:-}${PIP_EXTRA_INDEX_URL:-} ]]
}

# install_cpu_torch PYTHON LOCK: the CPU build of torch is on PyTorch's own index only. A machine
# whose pip is configured (mirror, wheel folder) is asked first.
install_cpu_torch() {
    local pin
    pin="$(grep -m 1 '^torch==.*+cpu' "$2")" || return 0
    if pip_has_own_sources "$1" && "$1" -m pip install --no-deps --retries 1 "$pin" 2>/dev/null; then
        return
    fi
    "$1" -m pip install --no-deps --extra-index-url "$TORCH_CPU_INDEX" "$pin"
}

# create_venv NAME PYTHON: make the environment unless a working one is there.
create_venv() {
    local venv="$VENVS_DIR/$1"
    if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then return; fi
    [[ ! -e $venv ]] || log_warn "$venv is incomplete; making it anew."
    mkdir -p "$VENVS_DIR"
    log_test "Creating $venv with $("$2" --version 2>&1)"
    "$2" -m venv --clear "$venv" >&2 && return
    # Debian and Ubuntu ship Python without ensurepip.
    local uv
    if uv="$(find_uv 2>/dev/null)" && "$uv" venv --quiet --seed --clear --python "$2" "$venv" >&2; then return; fi
    die "$2 cannot create environments." "Install its venv module: sudo apt install python3-venv, and run this again."
}

# remove_cuda_strays PYTHON LOCK: packages whose CUDA builds break transformers beside a CPU torch.
remove_cuda_strays() {
    grep -q '^torch==.*+cpu' "$2" || return 0
    local name
    for name in torchvision torchaudio torchcodec; do
        if "$1" -c "import importlib.metadata as m; m.version('$name')" 2>/dev/null; then
            "$1" -m pip uninstall --quiet --yes "$name"
        fi
    done
}

# ensure_venv NAME LOCK PYTHON_VERSIONS SIZE: create or update an environment to exactly the pins.
ensure_venv() {
    local name="$1" lock="$REPO/requirements/$2" python missing
    (
        mkdir -p "$VENVS_DIR"
        # A killed run may have left pip at work: its children still hold the lock.
        exec 8>"$VENVS_DIR/.$name.lock"
        if ! flock --nonblock 8; then
            log_warn "Another set-up of $VENVS_DIR/$name is still running; waiting for it (Ctrl+C gives up)."
            flock 8
        fi
        python="$(venv_python "$name")"
        if ! "$python" -m pip --version >/dev/null 2>&1; then
            local base
            base="$(find_python "$3")" || exit 1
            create_venv "$name" "$base"
        fi
        if missing="$("$python" -m scifi_llm.environment check "$lock")"; then
            log_ok "$VENVS_DIR/$name matches requirements/$2"
            exit 0
        fi
        log_test "Installing $(wc -l <<<"$missing") packages of requirements/$2 into $VENVS_DIR/$name ($4)"
        install_cpu_torch "$python" "$lock" &&
            "$python" -m pip install --no-deps -r "$lock" &&
            remove_cuda_strays "$python" "$lock" &&
            missing="$("$python" -m scifi_llm.environment check "$lock")" ||
            die "Packages of requirements/$2 could not be installed${missing:+ (among them: $(head -n 3 <<<"$missing" | tr '\n' ' '))}." \
                "Read pip's last lines above; check the network (curl -I https://pypi.org) and the disk (df -h $VENVS_DIR), then run this again."
        log_ok "$VENVS_DIR/$name matches requirements/$2"
    )
}
