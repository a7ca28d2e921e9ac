#!/usr/bin/env bats
# setup_continue.sh: where it writes, what it keeps, what it refuses. The proxy is a small stand-in.
# shellcheck disable=SC2016,SC2030,SC2031  # single quotes: children expand them; each test is a subshell

load helpers

setup_file() {
    prepare_file
    cat >"$BATS_FILE_TMPDIR/proxy.py" <<'PY'
import http.server, json, os, sys, threading

MODELS = {"data": [{"id": "small", "max_model_len": 4096}, {"id": "style", "max_model_len": 4096}]}
HEALTH = {"status": "ok", "collection": "novel", "embedding_model": "all-MiniLM-L6-v2"}

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        key = os.environ.get("KEY", "")
        if self.path == "/health":
            self.answer(200, HEALTH if "PLAIN" not in os.environ else "")
        elif key and self.headers["authorization"] != f"Bearer {key}":
            self.answer(401, {"error": {"message": "no"}})
        else:
            self.answer(200, MODELS if "EMPTY" not in os.environ else {"data": []})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        takes = "tools" not in asked or os.environ.get("TOOLS") == "yes"
        self.answer(200 if takes else 400, {})

    def log_message(self, *words):
        pass

threading.Timer(60, os._exit, [0]).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PY
}
setup() {
    sandbox
    PORT="$(free_port)" URL="" DIR="$BOX/home/.continue"
    ln -s "$REAL_RAG" "$VENVS/rag"
}
teardown() { clean_up; }

# serving [NAME=VALUE…]: the stand-in, at URL.
serving() {
    background env "$@" "$REAL_PYTHON" -I "$BATS_FILE_TMPDIR/proxy.py" "$PORT"
    wait_for listens "$PORT"
    URL="http://127.0.0.1:$PORT/v1"
}

script() { run --separate-stderr clean "${ENV[@]}" "$REPO/setup_continue.sh" ${URL:+--url "$URL"} "$@"; }
ENV=()
NO_CHAPTERS="[WARN] No chapter numbers in the collection; for switches give: --as-of 5,12"

# wsl: stub programs and a Windows profile, as WSL has them.
wsl() {
    ENV=(WSL_DISTRO_NAME=Ubuntu)
    mkdir -p "$BOX/c/Users/Ana María"
    stub cmd.exe <<'SH'
[[ "$*" == '/c echo %USERPROFILE%' ]] || exit 9
printf 'C:\\Users\\Ana María\r\n'
SH
    stub wslpath <<SH
[[ "\$1 \$2" == '-u C:\\Users\\Ana María' ]] || exit 9
printf '%s\n' "$BOX/c/Users/Ana María"
SH
}

@test "arguments that cannot be are one error each" {
    script --dir
    only_fails_with "--dir needs a value. See: $REPO/setup_continue.sh --help"
    script --frob
    only_fails_with "Unknown argument: --frob See: $REPO/setup_continue.sh --help"
    serving
    script --as-of 5,twelve
    only_fails_with "--as-of 5,twelve holds more than chapter numbers. Give them as: --as-of 5,12"
}

@test "a first run writes the file, a second changes nothing" {
    serving
    script --as-of 5,12
    ends_with_status 0
    stderr_is ""
    stdout_is "[OK] Wrote $DIR/config.yaml
[OK] Next: choose the model 'Canon' in Continue's chat"
    same "names" "Canon
Canon up to chapter 5
Canon up to chapter 12
Canon with style
Canon edit
Canon edit up to chapter 5
Canon edit up to chapter 12
Canon edit with style
No canon
Canon autocomplete
Canon embeddings" "$(sed -n 's/^- name: //p' "$DIR/config.yaml")"
    same "lengths" "    contextLength: 4096" "$(grep contextLength "$DIR/config.yaml" | sort -u)"
    same "mode" 600 "$(stat -c %a "$DIR/config.yaml")"
    cp "$DIR/config.yaml" "$BOX/first"
    script --as-of 5,12
    stdout_has "[OK] $DIR/config.yaml is up to date"
    same "the file" "$(cat "$BOX/first")" "$(cat "$DIR/config.yaml")"
    same "files" "config.yaml" "$(ls -A "$DIR")"
}

@test "the user's file is kept, as it is and in a backup, and comes back by --remove" {
    serving
    mkdir -p "$DIR"
    printf 'name: Mine\nversion: 1.0.0\nschema: v1\nmodels:\n  # Mine.\n  - {name: Big, provider: openai, model: big} # dear\n' >"$DIR/config.yaml"
    cp "$DIR/config.yaml" "$BOX/before"
    script --mcp
    ends_with_status 0
    stderr_is "$NO_CHAPTERS"
    same "the backup" "$(cat "$BOX/before")" "$(cat "$DIR"/config.yaml.*.backup)"
    stdout_has "[OK] What was there is in $(echo "$DIR"/config.yaml.*.backup)"
    grep -qxF '  - {name: Big, provider: openai, model: big} # dear' "$DIR/config.yaml"
    grep -qxF '  command: '"$VENVS/rag/bin/python" "$DIR/config.yaml"
    URL=""
    script --remove
    ends_with_status 0
    same "the file" "$(cat "$BOX/before")" "$(cat "$DIR/config.yaml")"
    script --remove
    stdout_is "[OK] $DIR/config.yaml is up to date"
}

@test "--remove takes a file away that was ours alone" {
    serving
    script
    URL=""
    script --remove
    ends_with_status 0
    same "files besides the backup" "" "$(find "$DIR" -name 'config.yaml')"
}

@test "under WSL the Windows profile is written to, and the MCP server starts inside WSL" {
    wsl
    serving
    script --mcp
    ends_with_status 0
    stdout_has "[OK] Wrote $BOX/c/Users/Ana María/.continue/config.yaml"
    grep -qxF '  command: wsl.exe' "$BOX/c/Users/Ana María/.continue/config.yaml"
    same "arguments" "-d,Ubuntu,--exec,env,VENVS_DIR=$VENVS,$VENVS/rag/bin/python,$REPO/RAG/mcp_server.py,--url,$URL" \
        "$(sed -n '/^  command: wsl.exe/,$ s/^  - //p' "$BOX/c/Users/Ana María/.continue/config.yaml" | paste -sd ,)"
    same "nothing in the Linux home" "" "$(ls -A "$BOX/home")"
}

@test "under WSL without a Windows profile one error names --dir" {
    ENV=(WSL_DISTRO_NAME=Ubuntu)
    script
    only_fails_with "The folder of the Windows user could not be found (cmd.exe, wslpath). Name Continue's: ./setup_continue.sh --dir /mnt/c/Users/YOU/.continue"
    wsl
    printf '#!/bin/sh\necho %%USERPROFILE%%\n' >"$STUBS/cmd.exe"
    script
    fails_with "The folder of the Windows user could not be found (cmd.exe, wslpath). Name Continue's: ./setup_continue.sh --dir /mnt/c/Users/YOU/.continue"
}

@test "--dir and CONTINUE_GLOBAL_DIR are other places" {
    wsl
    serving
    script --dir "$BOX/here"
    stdout_has "[OK] Wrote $BOX/here/config.yaml"
    ENV+=(CONTINUE_GLOBAL_DIR="$BOX/there")
    script
    stdout_has "[OK] Wrote $BOX/there/config.yaml"
}

@test "a broken file is one error and stays as it is" {
    serving
    mkdir -p "$DIR"
    printf 'name: Mine\nmodels:\n  - name: [\n' >"$DIR/config.yaml"
    cp "$DIR/config.yaml" "$BOX/before"
    script --as-of 5
    only_fails_with "$DIR/config.yaml: not valid YAML in line 4. Mend it and run this again; nothing was written."
    same "the file" "$(cat "$BOX/before")" "$(cat "$DIR/config.yaml")"
    same "files" "config.yaml" "$(ls -A "$DIR")"
    printf '{"models": [' >"$DIR/config.json"
    script --json --as-of 5
    fails_with "$DIR/config.json: not valid JSON (Expecting value: line 1 column 13 (char 12)). Mend it, or use config.yaml."
}

@test "a folder that cannot be written is one error" {
    serving
    : >"$BOX/a_file"
    script --as-of 5 --dir "$BOX/a_file"
    only_fails_with "$BOX/a_file/config.yaml cannot be used (Not a directory). Name another folder: --dir DIR"
    script --as-of 5 --dir /proc/continue
    only_fails_with "/proc/continue/config.yaml cannot be used (No such file or directory). Name another folder: --dir DIR"
}

@test "--print prints the file and writes none" {
    serving TOOLS=yes
    script --print
    ends_with_status 0
    stderr_is "$NO_CHAPTERS"
    [[ $output == "# >>> scifi-llm: "*"# <<< scifi-llm" ]]
    same "no folder" "" "$(ls -A "$BOX/home")"
    grep -qxF -- '  - tool_use' <<<"$output"
}

@test "tools are asked for only where the server takes them" {
    serving TOOLS=no
    script --print
    [[ $output != *tool_use* ]]
}

@test "the proxy's key is asked for and written into the entries" {
    serving KEY=secret
    script
    only_fails_with "http://127.0.0.1:$PORT asks for its key. Set it: RAG_API_KEY=SECRET ./setup_continue.sh"
    ENV=(RAG_API_KEY=secret)
    script --print --mcp
    ends_with_status 0
    same "keys" "  apiKey: secret" "$(grep apiKey <<<"$output" | sort -u)"
    grep -qxF '    RAG_API_KEY: secret' <<<"$output"
}

@test "no server, another server, no model: one error each, nothing written" {
    URL="http://127.0.0.1:$PORT/v1"
    script
    only_fails_with "No RAG proxy answers at http://127.0.0.1:$PORT. Start it with: ./serve_rag_proxy.sh --detach"
    serving PLAIN=1
    script
    only_fails_with "http://127.0.0.1:$PORT is no RAG proxy. Name its address: --url http://localhost:8001/v1"
    PORT="$(free_port)"
    serving EMPTY=1
    script
    only_fails_with "No model is served behind http://127.0.0.1:$PORT. Start vLLM with: ./serve_vllm.sh --detach"
    same "no folder" "" "$(ls -A "$BOX/home")"
}

@test "--json writes the legacy form and keeps what is the user's" {
    serving
    mkdir -p "$DIR"
    printf '{"models": [{"title": "Big", "provider": "openai", "model": "big"}], "tabAutocompleteModel": {"title": "Mine"}}' >"$DIR/config.json"
    : >"$DIR/config.yaml"
    script --json --as-of 5
    ends_with_status 0
    stderr_is "[WARN] Your own tabAutocompleteModel stays; remove it and run this again for ours.
[WARN] Continue reads $DIR/config.yaml and not this file. Run without --json."
    same "titles" "Canon,Canon up to chapter 5,Canon with style,Canon edit,No canon,Big" \
        "$(clean "$REAL_PYTHON" -c 'import json, sys; print(",".join(m["title"] for m in json.load(open(sys.argv[1]))["models"]))' "$DIR/config.json")"
    same "values" '{"contextLength": 4096, "apiKey": "EMPTY", "completionOptions": {"maxTokens": 2000, "temperature": 0.85}}' \
        "$(clean "$REAL_PYTHON" -c 'import json, sys; m = json.load(open(sys.argv[1]))["models"][0]; print(json.dumps({k: m[k] for k in ("contextLength", "apiKey", "completionOptions")}))' "$DIR/config.json")"
    same "roles" '{"modelRoles": {"inlineEdit": "Canon edit", "applyCodeBlock": "No canon"}}' \
        "$(clean "$REAL_PYTHON" -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))["experimental"]))' "$DIR/config.json")"
    script --json --as-of 5
    stdout_has "[OK] $DIR/config.json is up to date"
    URL=""
    script --json --remove
    same "what is left" '{"models": [{"title": "Big", "provider": "openai", "model": "big"}], "tabAutocompleteModel": {"title": "Mine"}}' \
        "$(clean "$REAL_PYTHON" -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))))' "$DIR/config.json")"
}
