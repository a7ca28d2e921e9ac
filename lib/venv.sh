# Sourced by the scripts that make environments: find a Python, create, compare, install.
# shellcheck shell=bash

# python_fits PYTHON VERSIONS: does this program run, and is it one of "3.11 3.12"?
python_fits() {
    local version
    version="$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" || return 1
    [[ " $2 " == *" $version "* ]]
}

# system_python VERSIONS: print a Python of one of these versions that this machine has, or fail.
system_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.11 python3.13; do
        if python_fits "$candidate" "$1"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# find_python VERSIONS: print a Python of one of these versions; uv fetches 3.12 where there is none.
find_python() {
    local found uv
    if system_python "$1"; then return; fi
    log_warn "No Python ${1// / or } here ($(python3 --version 2>&1 | head -n 1)); asking uv for 3.12."
    if uv="$(find_uv)" && "$uv" python install 3.12 >&2 && found="$("$uv" python find 3.12)" &&
        python_fits "$found" "$1"; then
        log_ok "Python 3.12 by uv: $found" >&2
        printf '%s\n' "$found"
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
    local configured
    # Kept first: under pipefail a grep that leaves early would make pip's broken pipe the answer.
    configured="$("$1" -m pip config list 2>/dev/null)" || true
    [[ $configured =~ (find-links|index-url)= || -n ${PIP_FIND_LINKS:-}${PIP_INDEX_URL:-}${PIP_EXTRA_INDEX_URL:-} ]]
}

# install_torch PYTHON LOCK: the pinned torch. Its CPU build is on PyTorch's own index only; a
# machine whose pip has sources of its own (a mirror, a wheel folder) is asked first.
install_torch() {
    local pin
    pin="$(grep -m 1 '^torch==' "$2")" || return 0
    if [[ $pin != *+cpu ]]; then
        "$1" -m pip install --no-deps "$pin"
        return
    fi
    if pip_has_own_sources "$1" && "$1" -m pip install --no-deps --retries 1 "$pin" 2>/dev/null; then
        return
    fi
    "$1" -m pip install --no-deps --extra-index-url "$TORCH_CPU_INDEX" "$pin"
}

# with_venv_lock NAME COMMAND…: one process at a time changes an environment. The lock passes to
# children, so that a killed run whose pip is still at work keeps the next one waiting.
with_venv_lock() (
    mkdir -p "$VENVS_DIR"
    exec 8>"$VENVS_DIR/.$1.lock"
    if ! flock --nonblock 8; then
        log_warn "Another set-up of $VENVS_DIR/$1 is still at work; waiting for it (Ctrl+C gives up)."
        flock 8
    fi
    shift
    "$@"
)

# create_venv NAME LOCK PYTHON_VERSIONS: make the environment unless a working one is there. One
# that was made for another set, or for another Python, is made anew: two builds of vLLM or torch
# in one environment overwrite each other's files. `.made-for` is written last, so that an
# environment without it was left half made.
create_venv() {
    local venv="$VENVS_DIR/$1" base uv made_for
    made_for="$(cat "$venv/.made-for" 2>/dev/null)" || made_for=""
    if [[ -n $made_for && $made_for != "$2" ]]; then
        log_warn "$venv was made for requirements/$made_for; making it anew for requirements/$2."
    elif [[ -n $made_for ]] && python_fits "$venv/bin/python" "$3" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        log_ok "$venv is there ($("$venv/bin/python" --version))"
        return
    elif [[ -e $venv ]]; then
        log_warn "$venv is incomplete or of another Python; making it anew."
    fi
    base="$(find_python "$3")" || return 1
    log_test "Creating $venv with $("$base" --version 2>&1)"
    # Debian and Ubuntu ship Python without ensurepip; uv brings pip by itself.
    if ! "$base" -m venv --clear "$venv" >&2; then
        { uv="$(find_uv 2>/dev/null)" && "$uv" venv --quiet --seed --clear --python "$base" "$venv" >&2; } ||
            die "$base cannot create environments." "Install its venv module with: sudo apt install python3-venv, and run this again."
    fi
    printf '%s\n' "$2" >"$venv/.made-for"
    log_ok "$venv is there ($("$venv/bin/python" --version))"
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

# install_pins NAME LOCK SIZE: bring an environment to exactly the pins of a requirement file.
install_pins() {
    local python missing lock="$REPO/requirements/$2"
    python="$(venv_python "$1")"
    if missing="$("$python" -m scifi_llm.environment check "$lock")"; then
        log_ok "$VENVS_DIR/$1 matches requirements/$2"
        return
    fi
    [[ -n $missing ]] || die "$VENVS_DIR/$1 could not be compared with requirements/$2." "Remove it with: rm -r $VENVS_DIR/$1, and run this again."
    log_test "Installing $(wc -l <<<"$missing") packages of requirements/$2 into $VENVS_DIR/$1 ($3)"
    # pip ends with 1 on Ctrl+C, as for a package that it cannot find.
    trap '[[ -n ${IN_QUICKSTART:-} ]] || log_warn "Interrupted. Run this again; it goes on from here."; exit 130' INT
    if install_torch "$python" "$lock" && "$python" -m pip install --no-deps -r "$lock"; then
        remove_cuda_strays "$python" "$lock"
        if missing="$("$python" -m scifi_llm.environment check "$lock")"; then
            log_ok "$VENVS_DIR/$1 matches requirements/$2"
            return
        fi
    fi
    mapfile -t -n 3 missing <<<"$missing"
    die "Not all packages of requirements/$2 could be installed (missing: ${missing[*]})." \
        "Read pip's last lines above, check the network and the disk (df -h $VENVS_DIR), and run this again."
}

# ensure_venv NAME LOCK PYTHON_VERSIONS SIZE: create or update an environment to the pins.
ensure_venv() {
    with_venv_lock "$1" create_venv "$1" "$2" "$3"
    with_venv_lock "$1" install_pins "$1" "$2" "$4"
}
