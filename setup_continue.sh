#!/usr/bin/env bash
# Write the settings of Continue (VS Code) so that its models answer with the canon of the book.
#
# Usage: ./setup_continue.sh [--dir DIR] [--url URL] [--as-of 5,12] [--mcp] [--json] [--print] [--remove]
#
#   --dir     folder of Continue (~/.continue; under WSL that of the Windows user)
#   --url     the RAG proxy (http://localhost:8001/v1); it must be running
#   --as-of   chapters to have an entry for (default: up to 5 of the collection's)
#   --mcp     the MCP server with search_canon and explain too
#   --json    the legacy config.json, which Continue reads where there is no config.yaml
#   --print   print the file instead of writing it
#   --remove  take our entries out again
#
# Environment: RAG_API_KEY= (the proxy's key, written into the entries), RAG_HOME=, VENVS_DIR=
# Your own entries, their order and comments stay; what was there is kept as a .backup file. A
# second run replaces our entries and changes nothing else.
# Examples:
#   ./setup_continue.sh
#   ./setup_continue.sh --as-of 5,12 --mcp
#   ./setup_continue.sh --dir ~/.continue --print
# Takes about 5 seconds. Next: choose the model "Canon" in Continue's chat
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"

folder="" words=()
while (($#)); do
    case "$1" in
    -h | --help)
        show_help
        exit 0
        ;;
    --dir)
        needs_value "$1" $#
        folder="$2"
        shift
        ;;
    --url | --as-of)
        needs_value "$1" $#
        words+=("$1" "$2")
        shift
        ;;
    --mcp | --json | --print | --remove) words+=("$1") ;;
    *) die "Unknown argument: $1" "See: $0 --help" ;;
    esac
    shift
done

# windows_profile prints the Windows user's folder as a path of WSL.
windows_profile() {
    local profile
    profile="$(cd / && cmd.exe /c 'echo %USERPROFILE%' 2>/dev/null)" || return 1
    profile="${profile%$'\r'}"
    [[ -n $profile && $profile != %* ]] || return 1
    wslpath -u "$profile"
}

if [[ -z $folder && -n ${CONTINUE_GLOBAL_DIR:-} ]]; then
    folder="$CONTINUE_GLOBAL_DIR"
elif [[ -z $folder && -n ${WSL_DISTRO_NAME:-} ]]; then
    profile="$(windows_profile)" && [[ -d $profile ]] ||
        die "The folder of the Windows user could not be found (cmd.exe, wslpath)." \
            "Name Continue's: ./setup_continue.sh --dir /mnt/c/Users/YOU/.continue"
    folder="$profile/.continue"
    words+=(--windows)
elif [[ -n ${WSL_DISTRO_NAME:-} && $folder == /mnt/* ]]; then
    words+=(--windows)
fi

python="$(require_venv rag "RAG/0_create_venv_with_deps.sh")"
exec "$python" -m scifi_llm.rag.editor.setup --dir "${folder:-$HOME/.continue}" ${words[@]+"${words[@]}"}
