# shellcheck shell=bash disable=SC2034 # sourced by ossec-log-server, which uses the values
# Reads the environment. An empty variable means its default; a wrong one ends the container with 78 (EX_CONFIG)
# and one line that names it.

declare -A file_of=() # variable -> the file that its value came from

# NAME_FILE: the value of NAME is in that file, as secrets are mounted. Not exported, so that no daemon's environment
# holds one.
for variable in "${!OSSEC_@}"; do
    [[ $variable == *_FILE && -n ${!variable} ]] || continue
    name=${variable%_FILE}
    [[ -z ${!name:-} ]] || fail 78 "$name and $variable are both set; leave one of them out"
    # Somebody may have written the secret itself there.
    [[ ${!variable} == /* ]] || fail 78 "$variable is no path of a file; write one that starts with /"
    [[ -f ${!variable} && -r ${!variable} ]] ||
        fail 78 "$variable is '${!variable}', which is no file that UID $(id -u) can read; mount one there that it can"
    file_of[$name]=${!variable}
    printf -v "$name" %s "$(tr -d '\0' < "${!variable}")"
done
[[ -z ${!OSSEC_@} ]] || export -n "${!OSSEC_@}"

# A secret is not shown: a password, or what came from a file.
shown() { # VARIABLE
    if [[ -n ${file_of[$1]-} ]]; then
        echo "what ${file_of[$1]} holds"
    elif [[ $1 == *PASSWORD* ]]; then
        echo "a value that is not shown"
    else
        echo "'${!1}'"
    fi
}

wrong() { fail 78 "$1 is $(shown "$1"), $2"; }

# one_of VARIABLE VALUE WORD...
one_of() {
    local variable=$1 value=$2 word
    shift 2
    for word in "$@"; do
        [[ $value == "$word" ]] && return
    done
    wrong "$variable" "which is none of: $*"
}

level() { # VARIABLE VALUE
    [[ $2 =~ ^([0-9]|1[0-6])$ ]] || wrong "$1" "which is no alert level; write a number from 0 to 16"
}

# networks VARIABLE VALUE: addresses and CIDR networks, IPv4 and IPv6, with commas between them. There may be more of them
# than fit into an argument.
networks() {
    local problem
    problem=$(printf '%s\n' "${2//,/$'\n'}" | ossec-intake --check-networks 2>&1) ||
        fail 78 "$1: ${problem#ossec-log-server: }"
}

port() { # VARIABLE NUMBER
    [[ $2 =~ ^[0-9]{1,5}$ ]] && ((10#$2 >= 1 && 10#$2 <= 65535)) && return
    wrong "$1" "whose port is not between 1 and 65535"
}

# pem FILE KIND USE: whether a mounted file is what its use needs.
pem() {
    [[ -r $1 ]] || fail 78 "$1 cannot be read by UID $(id -u); $3 needs it there"
    grep -qsE -- "-----BEGIN ([A-Z]+ )?$2-----" "$1" || fail 78 "$1 holds no $2 in PEM form"
}

bytes() { # SIZE, such as 500m
    local number=${1%[kmg]}
    case $1 in
        *k) echo $((number << 10)) ;;
        *m) echo $((number << 20)) ;;
        *g) echo $((number << 30)) ;;
        *) echo "$number" ;;
    esac
}

# A variable that nothing here reads is an error where it looks like one misspelt, since the server would else run without
# what was asked of it. Another may be somebody else's (an environment shared by several containers) or a later
# release's, so it is told of. Kubernetes sets a Service's address in variables that begin with the Service's name.
check_names() {
    local name known distance closest
    known=$(grep -oh '\<OSSEC_[A-Z_]*[A-Z]\>' $lib/*.bash | sort -u) # each that is read is named there
    for name in "${!OSSEC_@}"; do
        [[ -z ${file_of[$name]-} ]] || continue # NAME_FILE, which it comes from, is there too
        [[ $name =~ _SERVICE_(HOST|PORT(_.*)?)$ || ${!name} =~ ^(tcp|udp|sctp):// ||
            $name =~ _PORT_[0-9]+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)$ ]] && continue
        read -r distance closest < <($lib/closest "${name%_FILE}" <<< "$known")
        if ((distance > 0 && distance <= 3)); then
            fail 78 "there is no variable $name; $closest is the one that looks like it"
        elif ((distance > 0)); then
            say "there is no variable $name, so it has no effect; the closest is $closest"
        fi
    done
}

without_spaces() { echo "${1//[[:space:]]/}"; }

syslog_protocol=$(without_spaces "${OSSEC_SYSLOG_PROTOCOL:-udp,tcp}")
allowed_ips=$(without_spaces "${OSSEC_ALLOWED_IPS:-10.0.0.0/8}")
log_alert_level=$(without_spaces "${OSSEC_LOG_ALERT_LEVEL:-1}")
relp=$(without_spaces "${OSSEC_RELP:-no}")
queue_disk=$(without_spaces "${OSSEC_QUEUE_DISK:-1g}")

retention_days=$(without_spaces "${OSSEC_RETENTION_DAYS:-0}")
retention_bytes=$(without_spaces "${OSSEC_RETENTION_BYTES:-0}")

one_of OSSEC_SYSLOG_PROTOCOL "$syslog_protocol" udp tcp udp,tcp tcp,udp
one_of OSSEC_RELP "$relp" yes no
[[ $queue_disk =~ ^[1-9][0-9]*[kmg]?$ ]] || wrong OSSEC_QUEUE_DISK "which is no size; write for example 500m or 2g"
queue_disk=$(bytes "$queue_disk")
[[ $retention_days =~ ^(0|[1-9][0-9]{0,4})$ ]] || wrong OSSEC_RETENTION_DAYS "which is no number of days; write for example 90"
[[ $retention_bytes =~ ^(0|[1-9][0-9]{0,11}[kmg]?)$ ]] || wrong OSSEC_RETENTION_BYTES "which is no size; write for example 10g"
retention_bytes=$(bytes "$retention_bytes")
# The C library takes one that it does not know for UTC, without a word.
[[ -z ${TZ:-} || $TZ =~ ^[A-Za-z0-9_+/-]+$ && $(head -c 4 "/usr/share/zoneinfo/$TZ" 2>/dev/null) == TZif ]] ||
    wrong TZ "which is no time zone; write one of the tz database, such as Europe/Berlin"
networks OSSEC_ALLOWED_IPS "$allowed_ips"
level OSSEC_LOG_ALERT_LEVEL "$log_alert_level"
