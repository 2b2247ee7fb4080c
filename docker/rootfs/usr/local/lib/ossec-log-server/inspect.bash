# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server, after configure.bash
# What looks at the configuration and runs no server: check, config, logtest.

# Whether a server runs in this container, whose configuration may not be written anew.
server_runs() {
    local id
    id=$(cat $run/pid 2>/dev/null) && [[ $id != "$$" ]] && grep -qa ossec-log-server "/proc/$id/cmdline" 2>/dev/null
}

# Writes nothing to the volume, which need not be there or writable.
configure_alone() {
    mkdir -p $run 2>/dev/null && [[ -w $run ]] ||
        fail 73 "$run cannot be made by UID $(id -u); give the container a tmpfs: --tmpfs /run"
    data=$run/data
    prepare_run
    mkdir -p $run/fts $data/queue
    configure
}

check() {
    ! server_runs || fail 64 "a server runs in this container; check in one of its own: docker run --rm --volumes-from NAME IMAGE check"
    configure_alone
    say "the configuration is right"
}

show_configuration() {
    local variable file
    server_runs || configure_alone
    echo "# Variables"
    for variable in "${!OSSEC_@}"; do
        [[ $variable == *_FILE || -z ${!variable} ]] || echo "$variable=$(shown "$variable")"
    done
    for file in "$run"/{ossec.conf,local_internal_options.conf,local_rules.xml,local_decoder.xml}; do
        [[ ! -e $file ]] || { echo && echo "# $(readlink -f "$file")" && $lib/configuration mask < "$file"; }
    done
}

# logtest [LINE|FILE]: the engine's rule tester for a line, for each line of a file, or of standard input, in any form of
# syslog, with or without PRI: they go the way that received ones go. A line that names no host is from "stdin". The tester
# writes its findings to standard error, which is no place for a result.
logtest() {
    server_runs || configure_alone
    if (($# == 0)); then
        test_lines
    elif (($# == 1)) && [[ -f $1 ]]; then
        test_lines < "$1"
    else
        test_lines <<< "$*"
    fi
}

test_lines() {
    ossec-intake --header stdin | /var/ossec/bin/ossec-logtest 2>&1
}
