# Sourced by the scripts that start and stop servers: pid files, ports, readiness, stopping.
# shellcheck shell=bash
#
# A pid file holds the pid, its start time (field 22 of /proc/PID/stat) and what is served. By the
# start time a pid which the system gave to another program is never taken for ours.

pid_file() { printf '%s/%s.pid' "$RUN_DIR" "$1"; }
log_file() { printf '%s/%s.log' "$RUN_DIR" "$1"; }

# start_time PID: clock ticks since boot, or nothing where the process is gone or a zombie.
start_time() {
    local stat
    stat="$(cat "/proc/$1/stat" 2>/dev/null)" || return 1
    # The program's name may hold spaces and brackets: cut behind the last one.
    read -r -a stat <<<"${stat##*) }"
    # shellcheck disable=SC2128
    [[ $stat != Z ]] && printf '%s' "${stat[19]}"
}

# write_pid NAME PID SERVED: record a server, in one step.
write_pid() {
    mkdir -p "$RUN_DIR"
    printf '%s %s %s\n' "$2" "$(start_time "$2")" "$3" >"$(pid_file "$1").tmp"
    mv "$(pid_file "$1").tmp" "$(pid_file "$1")"
}

# running_pid NAME: print the pid of our running server, or fail. It is ours where the start time is
# the recorded one and the command line is that of such a server.
running_pid() {
    local pid started
    read -r pid started _ 2>/dev/null <"$(pid_file "$1")" || return 1
    [[ -n $started && $(start_time "$pid") == "$started" ]] || return 1
    [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == *"${1%%-*}"* ]] && printf '%s' "$pid"
}

# served_by NAME: what our server was started with.
served_by() {
    local served
    read -r _ _ served <"$(pid_file "$1")" && printf '%s' "$served"
}

# own_address HOST: where this machine reaches a server that listens on HOST.
own_address() {
    case "$1" in
    "" | 0.0.0.0 | ::) printf 127.0.0.1 ;;
    *:*) printf '[%s]' "$1" ;;
    *) printf '%s' "$1" ;;
    esac
}

# port_taken PORT: does anything listen there on this machine?
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_owner PORT: the program that listens there, as far as this user may see it.
port_owner() {
    has ss || return 0
    ss -ltnpH "sport = :$1" 2>/dev/null | sed -nE '1s/.*users:\(\("([^"]+)",pid=([0-9]+).*/ (\1, pid \2)/p'
}

# http_get URL: print the body of an answer, or fail. In bash alone: no Python need be there, and
# no proxy of the environment is asked for this machine's own ports.
http_get() (
    local rest="${1#http://}" host line status
    host="${rest%%/*}"
    exec 3<>"/dev/tcp/$(tr -d '[]' <<<"${host%:*}")/${host##*:}" || exit 1
    printf 'GET /%s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n' "${rest#*/}" "$host" >&3
    IFS=' ' read -r -t 5 _ status _ <&3 && [[ $status == 2* ]] || exit 1
    while IFS= read -r -t 5 line <&3 && [[ $line != $'\r' ]]; do :; done
    timeout 5 cat <&3
) 2>/dev/null

http_ok() { http_get "$1" >/dev/null; }

# refuse_second NAME LABEL PORT URL SERVED: exit 0 where our server is already started there, with
# an error where the port is a stranger's.
refuse_second() {
    local pid
    if pid="$(running_pid "$1")"; then
        log_ok "$2 is already started with $(served_by "$1") (pid $pid, port $3, log $(log_file "$1"))."
        [[ $(served_by "$1") == "$5" ]] || log_warn "It was not started with $5. Stop it first for that."
        [[ ${DETACH:-} != yes ]] || wait_ready "$1" "$2" "$4" 900
        exit 0
    fi
    clear_leftovers "$1" "$2"
    ! port_taken "$3" || die "Port $3 is taken by another program$(port_owner "$3")." \
        "Stop that program or choose another port (see: $0 --help)."
}

# start_detached NAME SERVED COMMAND…: run in a session of its own, with pid file and log under run/.
# The child records itself before it becomes the server: a killed starter leaves no orphan unknown.
start_detached() {
    local name="$1" served="$2" log
    shift 2
    log="$(log_file "$name")"
    { mkdir -p "$RUN_DIR" && printf 'Starting %s\n' "$name" >"$log"; } 2>/dev/null ||
        die "The log $log cannot be written." "Free some disk space (see: df -h $RUN_DIR), or put logs elsewhere: RUN_DIR=DIR"
    # Descriptors 3 to 9 may be locks of the caller: a server must not hold them for days.
    # shellcheck disable=SC2016  # the child expands it
    setsid bash -c 'source "$REPO/lib/common.sh"; source "$REPO/lib/server.sh"
        name="$1" served="$2"; shift 2; write_pid "$name" "$$" "$served"; exec "$@"' starter "$name" "$served" "$@" \
        >>"$log" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    local starter=$! _
    disown
    for _ in {1..50}; do
        # Recorded and running, or already gone: wait_ready tells which.
        if running_pid "$name" >/dev/null || ! start_time "$starter" >/dev/null; then return; fi
        sleep 0.1
    done
}

# wait_ready NAME LABEL URL SECONDS: until URL answers; shows the log's end where the server dies.
wait_ready() {
    local name="$1" label="$2" url="$3" limit="$4" started=$SECONDS shown=$SECONDS
    until http_ok "$url"; do
        if ! running_pid "$name" >/dev/null; then
            tail -n 15 "$(log_file "$name")" >&2 || true
            die "$label ended before it was ready; the last lines of $(log_file "$name") are above."
        fi
        ((SECONDS - started < limit)) || die "$label did not answer within $limit s." "Read: tail -n 50 $(log_file "$name")"
        if ((SECONDS - shown >= 10)); then
            shown=$SECONDS
            log_test "$label is starting ($((SECONDS - started)) s): $(last_log_line "$name")"
        fi
        sleep 1
    done
    log_ok "$label is ready after $((SECONDS - started)) s (pid $(running_pid "$name"), log $(log_file "$name"))"
}

last_log_line() { tail -n 1 "$(log_file "$1")" 2>/dev/null | tr -cd '[:print:]' | cut -c 1-100; }

# family PID: the pids to be gone when this server is: of its own process group where it leads one,
# else it and its descendants. Zombies do not count: their parent may never take note of them.
family() {
    awk -v root="$1" '
        { pid = $1; sub(/^.*\) /, ""); state[pid] = $1; parent[pid] = $2; group[pid] = $3 }
        END {
            for (pid in state) {
                if (state[pid] == "Z") continue
                for (p = pid; p != root && p > 1 && p in parent; p = parent[p]) {}
                if (p == root || group[pid] == root) print pid
            }
        }' /proc/[0-9]*/stat 2>/dev/null || true
}

# signal_all SIGNAL PID…: what is gone by now does not matter.
signal_all() { kill "-$1" "${@:2}" 2>/dev/null || true; }

# any_left PID:START…: is one of these processes still there, the same one as then?
any_left() {
    local entry
    for entry in "$@"; do [[ $(start_time "${entry%:*}") != "${entry#*:}" ]] || return 0; done
    return 1
}

# leftovers NAME: pids of the process group of a server that was itself killed. Its engine lives on
# in it and holds memory. A process group's number is not given away while it has members.
leftovers() {
    local pid started member
    read -r pid started _ 2>/dev/null <"$(pid_file "$1")" || return 0
    [[ -n $started ]] && ! start_time "$pid" >/dev/null || return 0
    for member in $(family "$pid"); do
        if tr '\0' ' ' <"/proc/$member/cmdline" 2>/dev/null | grep -qiE "${1%%-*}|multiprocessing"; then printf '%s\n' "$member"; fi
    done
}

# end_processes LABEL SECONDS PID…: SIGTERM, wait, SIGKILL to what is left and still the same.
end_processes() {
    local label="$1" limit="$2" started=$SECONDS member members=()
    for member in "${@:3}"; do members+=("$member:$(start_time "$member")"); done
    signal_all TERM "${members[@]%:*}"
    while any_left "${members[@]}" && ((SECONDS - started < limit)); do sleep 0.1; done
    any_left "${members[@]}" || return 0
    log_warn "$label did not end within $limit s; killing it."
    for member in "${members[@]}"; do
        [[ $(start_time "${member%:*}") != "${member#*:}" ]] || signal_all KILL "${member%:*}"
    done
    while any_left "${members[@]}" && ((SECONDS - started < limit + 10)); do sleep 0.1; done
}

# clear_leftovers NAME LABEL: end what a killed server left behind, and say so.
clear_leftovers() {
    local left
    mapfile -t left < <(leftovers "$1")
    ((${#left[@]})) || return 0
    log_warn "$2 was killed; ending what it left running (pids ${left[*]})."
    end_processes "What it left" 5 "${left[@]}"
}

# stop_server NAME LABEL SECONDS: end our server and its own processes, and nothing else.
stop_server() {
    local name="$1" label="$2" pid started=$SECONDS members
    if pid="$(running_pid "$name")"; then
        mapfile -t members < <(family "$pid")
        end_processes "$label" "$3" "${members[@]}"
        log_ok "$label stopped (pid $pid, $((SECONDS - started)) s)."
    else
        clear_leftovers "$name" "$label"
        log_ok "$label is not running."
    fi
    rm -f "$(pid_file "$name")"
}
