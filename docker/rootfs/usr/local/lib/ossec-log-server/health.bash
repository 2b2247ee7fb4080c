# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server, for `health` and by the server that it asks about
# What `health` looks at besides ossec-intake and the engine: the outputs, the volume, the metrics. It asks a server that
# runs and reads no settings: what is on is told by a file in $watched, which also remembers the last look.

watched=$run/health
output_patience=60      # seconds in which an output with alerts before it delivers at least one
mail_patience=15        # minutes that a mail may wait; its relay is tried every 5
nearly_full=$((8 << 20)) # bytes; at 4 MiB ossec-intake takes nothing more
few_inodes=64

# watch NAME [WORDS...]: from now on health looks at it.
watch() {
    must 73 "$watched: cannot be made" "give the container a tmpfs: --tmpfs /run" mkdir -p "$watched"
    to_file "$watched/$1" echo "${@:2}"
}

watch_what_is_on() {
    [[ $alerts_stdout == no ]] || watch output
    [[ -z $forward ]] || watch forward
    [[ $email_notification == no ]] || watch mail
    [[ -z $metrics_port ]] || watch metrics "$metrics_port"
}

unhealthy() {
    say "unhealthy: $*"
    healthy=no
}

remember() { echo "${@:2}" 2>/dev/null > "$watched/$1" || true; } # NAME WORDS...

# check_output NAME: whether it delivers, while alerts wait for it. Somebody else may be to blame: who reads standard output,
# the peer that alerts are forwarded to.
check_output() {
    local delivered=0 waiting=0 before since
    [[ -e $watched/$1 ]] || return 0
    read -r delivered waiting < <(ossec-output --counters "$alerts" "$data/queue/$1/position" 2>/dev/null | paste -sd ' ') || true
    read -r before since < "$watched/$1" || true
    if ((${waiting:-0} == 0)) || [[ $delivered != "${before-}" || ! ${since-} =~ ^[0-9]+$ ]]; then
        remember "$1" "$delivered" "$EPOCHSECONDS"
    elif ((EPOCHSECONDS - since > output_patience)); then
        unhealthy "ossec-$1: $waiting bytes of alerts wait, and none was delivered for $((EPOCHSECONDS - since)) s; $2"
    fi
}

check_mail() {
    local oldest count=0
    [[ -e $watched/mail ]] || return 0
    oldest=$(find "$data/queue/mail/queue" -type f -mmin "+$mail_patience" -printf x 2>/dev/null) || true
    count=${#oldest}
    ((count == 0)) || unhealthy "mail: $count mails wait for more than $mail_patience minutes; the log says what the relay answers"
}

check_room() {
    local free=0 inodes=0
    read -r free inodes < <(df -B 1 --output=avail,iavail "$data" 2>/dev/null | tail -n 1) || return 0
    ((free >= nearly_full)) ||
        unhealthy "$data: the volume is nearly full ($(numfmt --to=iec "$free") are free); make room, or set OSSEC_RETENTION_BYTES"
    # A file system that makes them as it needs them says 0 or "-".
    [[ ! $inodes =~ ^[1-9] ]] || ((inodes >= few_inodes)) || unhealthy "$data: the volume has $inodes inodes left; delete files on it"
}

# Told by the intake's count, compared with the one of the last look.
check_descriptors() {
    local now before=0
    now=$(ossec-intake --status 2>/dev/null | sed -n 's/^no_descriptors //p') || now=""
    [[ $now =~ ^[0-9]+$ ]] || return 0
    read -r before 2>/dev/null < "$watched/descriptors" || before=0
    ((now <= ${before:-0})) ||
        unhealthy "ossec-intake: $((now - before)) connections were not accepted, as descriptors or memory ran out;" \
            "start with --ulimit nofile=65536, or lower OSSEC_MAX_CONNECTIONS"
    remember descriptors "$now"
}

answers_http() { # PORT
    local line
    exec 3<> "/dev/tcp/127.0.0.1/$1" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && read -rt 3 line <&3 && [[ $line == HTTP/* ]]
}

check_metrics_server() {
    local port
    read -r port 2>/dev/null < "$watched/metrics" || return 0
    (answers_http "$port") 2>/dev/null || unhealthy "mini_httpd: no answer on port $port within 3 s, where metrics are asked for"
}

# health [--own]: everything that keeps lines from becoming alerts, and alerts from arriving. With --own only what a restart
# may mend, for those who restart what is not healthy.
health() {
    local healthy=yes
    case ${1-} in
        "" | --own) ;;
        *) fail 64 "health: '$1' is not an option of it; write --own, or nothing" ;;
    esac
    ossec-intake --probe || healthy=no # it says what does not work
    check_descriptors
    check_metrics_server
    if [[ ${1-} != --own ]]; then
        check_room
        check_output output "is standard output read?"
        check_output forward "the log says what its peer answers"
        check_mail
    fi
    said_why=yes
    [[ $healthy == yes ]] || exit 1
    exit 0
}
