# shellcheck shell=bash # sourced by ossec-log-server first of all
# Messages, and the guarantee that the server never ends without one. A message is one line, "NAME: what is wrong; what to
# write instead". A status from 64 to 78 (sysexits.h) means: a message has said why. 64 usage, 69 a daemon is
# unavailable, 70 a fault of ours, 71 the kernel refuses, 73 a file can't be made, 74 disk error, 75 busy, try later,
# 77 no permission, 78 configuration.

said_why=no # whether a line says why the shell is about to end

# Always one line. A standard error that nobody reads does not end the server.
say() { echo "ossec-log-server: ${*//[[:cntrl:]]/ }" >&2 || true; }

# fail CODE MESSAGE...
fail() {
    say "${@:2}"
    said_why=yes
    exit "$1"
}

# reason_of MESSAGE: the last words of what a tool says: "mkdir: cannot create directory 'x': No space left on device".
reason_of() {
    local line=${1%%$'\n'*}
    line=${line##*: }
    echo "${line:-it gives no reason}"
}

# signal_of STATUS: "signal 9 (KILL)", for a status above 128.
signal_of() {
    local name
    name=$(kill -l $(($1 - 128)) 2>/dev/null) || name=unknown
    echo "signal $(($1 - 128)) ($name)"
}

# killed_by STATUS: what to add to a status that means a signal; nothing for another.
killed_by() {
    local hint=""
    (($1 > 128)) || return 0
    (($1 != 137)) || hint="; where nobody did that, memory ran out: give the container more"
    echo "; it was ended by $(signal_of "$1")$hint"
}

# attempt COMMAND...: sets $status to what it ends with, and $problem to what it says on standard error. It ends at its first
# command that fails, which it would not behind `||` or `if`.
attempt() {
    local flags=$-
    set +e
    trap - ERR
    # A program takes the subshell's place: a process less than beside it.
    { problem=$(set -e; declare -F "$1" > /dev/null || exec "$@" 2>&1 >&3; "$@" 2>&1 >&3); } 3>&1
    status=$?
    [[ $flags != *e* ]] || watch_commands
    # What ended with such a status has said why, and on success it may have told something.
    if ((status >= 64 && status <= 78)); then
        echo "$problem" >&2 || true
        said_why=yes
        exit $status
    elif ((status == 0)) && [[ -n $problem ]]; then
        echo "$problem" >&2 || true
    fi
}

# must CODE PROBLEM REMEDY COMMAND...: where the command fails, the container ends with "PROBLEM (the tool's reason); REMEDY".
must() {
    local problem status
    attempt "${@:4}"
    ((status == 0)) || fail "$1" "$2 ($(reason_of "$problem")); $3"
}

# to_file FILE COMMAND...: writes the command's output to a file in /run. It fails only where the tmpfs is full or missing.
to_file() {
    must 73 "$1: cannot be written" "give the container a tmpfs of 16 MiB or more: --tmpfs /run" write_to "$@"
}

write_to() { "${@:2}" > "$1"; }

# in_run PATH COMMAND...: makes or changes PATH in /run.
in_run() { must 73 "$1: cannot be made" "give the container a tmpfs: --tmpfs /run" "${@:2}"; }

# The last resort: a command failed whose status nothing checks (`set -e` would end without a message). The lint session
# searches for such commands (pipeline/upkeep/shell_lint.py).
unexpected() { # STATUS PLACE COMMAND
    if ((BASH_SUBSHELL > 0 || ($1 >= 64 && $1 <= 78))); then
        said_why=yes
        exit "$1"
    fi
    fail 70 "$2: '$3' failed with status $1; this is a fault of the image, so please report this line"
}

# Below that: errors of the shell itself, such as an unset variable.
ended() { # STATUS
    (($1 == 0)) || [[ $said_why == yes ]] || (($1 >= 64 && $1 <= 78)) ||
        say "${0##*/}: ended with status $1 and did not say why; this is a fault of the image, so please report this line"
}

watch_commands() {
    set -eE
    trap 'unexpected $? "${BASH_SOURCE[0]##*/} line $LINENO" "$BASH_COMMAND"' ERR
}
