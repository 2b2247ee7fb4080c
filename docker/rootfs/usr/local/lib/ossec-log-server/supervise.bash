# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server
# The daemons, each a child of PID 1: their start, their stop in the order in which lines pass through them, and the end of
# the container when one of them ends.

declare -gA daemon=()     # PID -> name
declare -gA pid=()        # name -> PID
wanted=()                 # the names of those that are to run, in the order of their start
declare -gA command_of=() # name -> its command, quoted
declare -gA reads=()      # name -> what it reads at its start only, or a checksum of it

want() { # NAME COMMAND...
    local words=("${@:2}")
    wanted+=("$1")
    command_of[$1]=${words[*]@Q}
}

start() { # NAME
    case $1 in
        nullmailer-send) in_run $run/mail-ends rm -f $run/mail-ends ;;
        ossec-output | ossec-forward | ossec-notify*) settle_output "$1" ;;
    esac
    if [[ $1 == ossec-output ]]; then
        eval "exec ${command_of[$1]}" & # the only one whose standard output is the container's
    else
        eval "exec ${command_of[$1]}" >&2 &
    fi
    daemon[$!]=$1
    pid[$1]=$!
}

microseconds() { echo "${EPOCHREALTIME/[.,]/}"; }

# until_true SECONDS COMMAND...: whether COMMAND came true in that time.
until_true() {
    local deadline=$(($(microseconds) + $1 * 1000000))
    shift
    until "$@"; do
        (($(microseconds) < deadline)) || return 1
        signals wait
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }

all_gone() { [[ -z $(jobs -pr) ]]; }

# descriptor_of PID FILE: the path in /proc of the descriptor by which the process has the file open, if it has.
# By inode, as OSSEC's alerts.log and alerts.json are second names of the day's files.
descriptor_of() { find -L "/proc/$1/fd" -maxdepth 1 -samefile "$2" -print -quit 2>/dev/null; }

# has_read NAME FILE: whether that daemon, if it runs, has read the file to its end.
has_read() {
    local descriptor position
    [[ -n ${pid[$1]-} ]] || return 0
    descriptor=$(descriptor_of "${pid[$1]}" "$2")
    [[ -n $descriptor ]] || return 1
    read -r _ position < "/proc/${pid[$1]}/fdinfo/${descriptor##*/}"
    ((position >= $(stat -c %s "$2")))
}

# ask_to_end NAME [SIGNAL]
ask_to_end() { [[ -n ${pid[$1]-} ]] && kill "-${2:-TERM}" "${pid[$1]}" 2>/dev/null; }

# end NAME SECOND [SIGNAL]: asks a daemon to end, and kills it at that second of the stop.
end() {
    local id=${pid[$1]-}
    ask_to_end "$1" "${3-}" || return 0
    until_true $((stop_began + $2 - SECONDS)) gone "$id" && return 0 # in a trap, a bare return would give the status from before it
    say "$1 did not end by itself and was killed"
    kill -KILL "$id" 2>/dev/null || true
    wait "$id" 2>/dev/null || true
}

nothing_under_way() { [[ -z $(cat "/proc/$1/task/$1/children" 2>/dev/null) ]]; } # PID, a parent of what is under way

# end_mail_queue SECOND: as end, for nullmailer-send. It ends at once when it is asked to, also between the relay's yes to a
# mail and that mail's removal from the queue, and the mail would come again. So mail/relay begins no other, and the one under
# way has 3 s, in which a relay that does not hang has answered.
end_mail_queue() {
    local id=${pid[nullmailer-send]-} left=$((stop_began + $1 - SECONDS))
    [[ -n $id ]] || return 0
    to_file $run/mail-ends echo
    if until_true $((left < 3 ? left : 3)) nothing_under_way "$id"; then
        sleep 0.05 || true # until it is removed
    fi
    end nullmailer-send "$1"
}

# From the intake to the outputs, so that each hands over what it has before the next one stops. Lines that the engine does
# not finish in time stay in the journal. Docker waits 10 s before it kills.
stop() {
    signals off
    set +e # it goes on to its end, whatever is gone already
    trap - ERR EXIT
    stop_began=$SECONDS
    say "stopping, as SIG$1 came"
    trap 'say "stopped at once, as a second signal came"; kill -KILL "${!daemon[@]}" 2>/dev/null; exit 143' TERM INT
    trap '' HUP
    end ossec-intake 4
    ask_to_end ossec-analysisd && until_true 3 gone "${pid[ossec-analysisd]}"
    end ossec-analysisd 7 INT
    until_true 1 has_read ossec-maild $alerts/alerts.log
    end ossec-maild 8
    ask_to_end ossec-forward || true # together with the others: each hands on what is left
    each_notify ask_to_end
    end ossec-output 9
    end ossec-forward 9
    each_notify end 9
    end mini_httpd 9
    end ossec-monitord 9
    end_mail_queue 9
    exit 0
}

want_daemons() {
    wanted=()
    command_of=()
    [[ $alerts_stdout == no ]] || want_output output stdout - - json
    [[ -z $forward ]] || want_output forward "$forward_way" "$forward_host" "$forward_port" "$forward_format"
    want_notify
    [[ -z $metrics_port ]] ||
        want mini_httpd mini_httpd -D -p "$metrics_port" "${metrics_address[@]}" -d $lib/metrics/www -c metrics -i /dev/null
    # Its notices about refused mails would go to the same relay, so they go nowhere.
    [[ $email_notification == no ]] || want nullmailer-send env NULLMAILER_QUEUE=/bin/cat nullmailer-send
    [[ $mail_daemon != yes ]] || want ossec-maild /var/ossec/bin/ossec-maild -f
    want ossec-intake ossec-intake --journal "$journal" --options "$run/configuration/intake.options"
    want ossec-analysisd /var/ossec/bin/ossec-analysisd -f
    export report_from="" report_to=""
    [[ $email_notification$email_report != yesyes ]] || export report_from=$email_from report_to=$email_to
    reads[housekeeping]="$report_from $report_to"
    want housekeeping $lib/volume/housekeeping "$retention_days" "$retention_bytes"
    want ossec-monitord /var/ossec/bin/ossec-monitord -f
}

# All but ossec-monitord, which gives up on an engine that takes its time over the rules.
start_daemons() {
    local name
    watch_what_is_on
    want_daemons
    prepare_mail
    for name in "${wanted[@]}"; do
        [[ $name == ossec-monitord ]] || start "$name"
    done
    forget_notify_places
}

# Returns only by ending the container, when the first of the daemons has ended.
supervise() {
    local status=0 ended="" name
    # A signal ends the wait, too, and a reload changes whom to wait for.
    while [[ -z ${ended-} || -z ${daemon[$ended]-} ]]; do
        status=0
        # wait -n forgets a child that a signal killed once the shell has waited for another, as it does at the start.
        if one_has_ended; then
            ended=$gone_id
            wait "$ended" 2>/dev/null || status=$? # bash itself would tell of a signal
        else
            signals on
            wait -n -p ended "${!daemon[@]}" 2>/dev/null || status=$?
            signals off
        fi
    done
    say "${daemon[$ended]} (PID $ended) ended with status $status, so the container ends$(killed_by "$status")"
    said_why=yes
    trap - ERR
    unset "pid[${daemon[$ended]}]"
    # The intake writes what it holds to the journal first.
    if ask_to_end ossec-intake; then
        until_true 4 gone "${pid[ossec-intake]}" || true
    fi
    ask_to_end ossec-analysisd INT || true
    for name in "${!pid[@]}"; do
        [[ $name == ossec-analysisd ]] || ask_to_end "$name" || true
    done
    until_true 1 all_gone || kill -KILL "${pid[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    exit $((status == 0 ? 1 : status))
}

# Silent, as it is asked many times during the start; so is bash, which would tell of a daemon that is killed meanwhile.
ready() { { ossec-log-server ready --daemons; } 2>/dev/null; }

one_has_ended() { # its PID is $gone_id then
    for gone_id in "${!daemon[@]}"; do
        gone "$gone_id" && return 0
    done
    return 1
}

ready_or_broken() { ready || one_has_ended; }

# The kernel refuses more of them in the middle of the start, to whoever comes next.
least_processes=16
check_processes() {
    local most
    { read -r most < /sys/fs/cgroup/pids.max || read -r most < /sys/fs/cgroup/pids/pids.max; } 2>/dev/null || return 0
    [[ ! $most =~ ^[0-9]+$ ]] || ((most >= least_processes)) ||
        fail 71 "the container may have $most processes, and the server needs $least_processes or more;" \
            "raise the limit: docker run --pids-limit 100"
}

# The kernel ends whoever writes beyond it, and the day's alerts and archive grow as they will.
check_file_size() {
    local most
    most=$(ulimit -f) || return 0
    [[ $most == unlimited ]] ||
        fail 71 "the container's files may have $most KiB each, and those of the volume grow beyond any limit; leave it" \
            "out: docker run --ulimit fsize=-1"
}

run_server() {
    check_processes
    check_file_size
    prepare_folders
    to_file $run/pid echo $$
    configure
    trap 'stop TERM' TERM
    trap 'stop INT' INT
    signals now
    start_daemons
    until_true 60 ready_or_broken || fail 1 "not started within 60 s: $(ossec-log-server ready --daemons 2>&1 || true)"
    to_file $run/started echo
    one_has_ended || start ossec-monitord
    trap 'signals off; reload_now; signals on' HUP
    [[ $reload_asked == no ]] || reload_now # as SIGHUP came while it started
    supervise
}
