#!/usr/bin/env bash
# Install what the tests need and run them: lint, unit, scripts, bash and live.
#
# Usage: ./run_tests.sh [lint] [unit] [scripts] [bash] [live]
#
# Without arguments all of them. Creates or updates ~/.venvs/{rag,llm,finetune,dev}.
# What this machine lacks is skipped by name and counted; with CI=true a skip is a failure.
# Takes about 30 minutes, the first time about 5 more. Examples: ./run_tests.sh unit bash
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
# shellcheck source=lib/venv.sh
source "$REPO/lib/venv.sh"

parts=()
while (($#)); do
    case "$1" in
    -h | --help)
        show_help
        exit 0
        ;;
    lint | unit | scripts | bash | live) parts+=("$1") ;;
    *) die "There is no part $1." "See: $0 --help" ;;
    esac
    shift
done
((${#parts[@]})) || parts=(lint unit scripts bash live)
cd "$REPO"
# The tests are about this clone: what the caller has set up for a book of their own stays out.
unset RAG_HOME RAG_API_KEY UPSTREAM_API_KEY RAG_UPSTREAM_URL RAG_HOST MODEL HOST CHROMA_URL EMBEDDING
export ENGINE=cpu IN_QUICKSTART=

prepare() {
    RAG/setup/0_create_venv_with_deps.sh
    local step
    for step in 2_create_venv 3_install_pytorch 4_install_vllm 6_download_model; do "vllm/setup/$step.sh"; done
    fine-tuning/scripts/0_create_venv.sh
    # The tests run on exactly the packages that an author runs, and bring only their own tools.
    local rag="$VENVS_DIR/rag/bin/python" version
    version="$("$rag" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    PYTHON="$rag" with_venv_lock dev create_venv dev dev.txt "$version"
    "$rag" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
        >"$VENVS_DIR/dev/lib/python$version/site-packages/rag.pth"
    with_venv_lock dev install_pins dev dev.txt "100 MB, under a minute"
}

bin="$VENVS_DIR/dev/bin"
# shell_files: every script of the repository; the links in RAG/ lead to files that are listed.
shell_files() {
    local file
    git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run | while read -r file; do
        [[ -L $file ]] || printf '%s\n' "$file"
    done
}

run_lint() {
    local files status=0
    mapfile -t files < <(shell_files)
    "$bin/ruff" check . || status=1
    "$bin/ruff" format --check . || status=1
    "$bin/mypy" || status=1
    "$bin/shellcheck" -x "${files[@]}" lib/*.sh tests/bash/*.bash || status=1
    "$bin/shellcheck" -x -s bats tests/bash/*.bats || status=1
    "$bin/shfmt" -d -i 4 "${files[@]}" lib/*.sh || status=1
    ((status)) || echo "lint: ruff, mypy, shellcheck and shfmt found nothing"
    return "$status"
}

# Unit tests and script tests share nothing but the processor; live tests need it for themselves.
spread=(--numprocesses auto --maxprocesses 4)
run_unit() { "$bin/python" -m pytest "${spread[@]}" tests/unit; }
run_scripts() { "$bin/python" -m pytest "${spread[@]}" tests/scripts; }
run_live() { "$bin/python" -m pytest tests/live --durations=20; }

run_bash() {
    local out status=0 skipped
    out="$(mktemp)"
    "$bin/bats" --print-output-on-failure --formatter tap tests/bash | tee "$out" || status=1
    skipped="$(grep -c '^ok .* # skip' "$out" || true)"
    echo "bash: $(grep -c '^ok ' "$out" || true) passed, $(grep -c '^not ok ' "$out" || true) failed, $skipped skipped"
    rm -f "$out"
    [[ ${CI:-} != true || $skipped == 0 ]] || status=1
    return "$status"
}

log_test "Preparing the environments"
prepare
failed=() summary=()
for part in "${parts[@]}"; do
    log_test "$part"
    started=$SECONDS
    if "run_$part"; then result=passed; else result=FAILED failed+=("$part"); fi
    summary+=("$part $result in $((SECONDS - started)) s")
done
printf '\n'
printf '%s\n' "${summary[@]}"
((${#failed[@]} == 0)) || die "Failed: ${failed[*]}" "Run one part again with: ./run_tests.sh ${failed[0]}"
log_ok "All of it passed: ${parts[*]}"
