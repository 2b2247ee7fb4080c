# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server
# What looks at the configuration and runs no server: check, config, logtest, test.

# Whether a server runs in this container: its configuration must not be overwritten.
server_runs() {
    local id
    { read -r id < $run/pid; } 2>/dev/null && [[ $id != "$$" ]] && grep -qa ossec-log-server "/proc/$id/cmdline" 2>/dev/null
}

# Writes nothing to the volume, which need not be there or writable.
configure_alone() {
    data=$run/data
    prepare_run
    in_run $data/queue mkdir -p $run/fts $data/queue/journal
    configure
}

check() {
    ! server_runs ||
        fail 64 "check: a server runs in this container; use one of its own: docker run --rm --volumes-from NAME IMAGE check"
    configure_alone
    say "the configuration is right"
}

show_file() {
    local path
    echo
    path=$(readlink -f "$1") || path=$1
    [[ $path != "$run"/* ]] || path=$1 # as the daemons have it
    echo "# $path"
    $lib/configuration/ossec-files mask < "$1" || fail 73 "$1: cannot be read by UID $(id -u); run this as the server's own user"
}

show_configuration() {
    local file
    server_runs || configure_alone
    echo "# Settings; behind a # those that have their default"
    show_settings
    for file in "$run"/{ossec.conf,local_internal_options.conf,local_rules.xml,local_decoder.xml}; do
        [[ ! -e $file ]] || show_file "$file"
    done
}

# logtest [LINE|FILE]: the engine's rule tester for a line, for each line of a file, or of standard input, in any form of
# syslog, with or without PRI: they are processed like received lines. A line that names no host is from "stdin". The tester
# writes its findings to standard error, which is no place for a result.
logtest() {
    server_runs || configure_alone
    if (($# == 0)); then
        test_lines
    elif (($# == 1)) && [[ -e $1 ]]; then
        [[ -f $1 && -r $1 ]] || fail 66 "logtest: '$1' is not a file that UID $(id -u) can read; name one that is, or a line"
        test_lines < "$1" || fail 66 "logtest: $1 cannot be read; name a file that can"
    else
        test_lines <<< "$*"
    fi
}

# test_rules [--junit FILE] [FILE...]: the user's own tests of rules; without a FILE all that are mounted.
test_rules() {
    local files=() word path
    server_runs || configure_alone
    for word in "$@"; do
        [[ $word != *.ini && $word != *.toml ]] || exec $lib/rule-tests/run "$@"
    done
    for path in "$mounts"/tests/*; do
        case $path in
            *.ini | *.toml) files+=("$path") ;;
            *) [[ ! -e $path ]] || say "$path: it is not read, as its name does not end in .toml or .ini; rename it" ;;
        esac
    done
    exec $lib/rule-tests/run "$@" "${files[@]}"
}

test_lines() {
    local status=0
    ossec-intake --header stdin | /var/ossec/bin/ossec-logtest 2>&1 || status=$?
    ((status == 0)) || fail 70 "logtest: OSSEC's rule tester ended with status $status; see what it says above"
}
