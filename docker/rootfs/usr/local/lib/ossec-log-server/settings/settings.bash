# shellcheck shell=bash disable=SC2034 # sourced by ossec-log-server, which uses the values
# Reads the environment. An empty variable means its default; a wrong one ends the container with 78 (EX_CONFIG)
# and one line that names it.

declare -A file_of=() # variable -> the file that its value came from
largest_value=$((4 << 20)) # bytes of a file that holds one
asked=${1-} # the command, or nothing for the server itself

# notice MESSAGE...: what is no mistake, told of by the server and by `check`, and not by each health check.
notice() {
    case $asked in
        "" | check) say "$@" ;;
    esac
}

# is_text FILE: whether it holds no NUL, as every file of UTF-16 does.
is_text() {
    local all without
    all=$(wc -c < "$1") && without=$(tr -d '\0' < "$1" | wc -c) && ((all == without))
}

# read_value VARIABLE FILE: sets $value to what the file holds, without the end of its last line.
read_value() {
    local LC_ALL=C size
    [[ -f $2 && -r $2 ]] || fail 78 "$1: '$2' is not a file that UID $(id -u) can read; mount one there that it can"
    size=$(stat -L -c %s "$2") || size=$((largest_value + 1))
    ((size <= largest_value)) || fail 78 "$1: $2 is larger than 4 MiB; name the right file"
    is_text "$2" || fail 78 "$1: $2 holds a NUL byte, as UTF-16 does; save it as plain UTF-8"
    value=$(< "$2") || fail 78 "$1: $2 cannot be read; mount a file there that can"
    [[ $value != $'\xff\xfe'* && $value != $'\xfe\xff'* ]] || fail 78 "$1: $2 is UTF-16; save it as plain UTF-8"
    if [[ $value == $'\xef\xbb\xbf'* ]]; then
        notice "$1: $2 begins with a byte order mark, which is left out; save it as UTF-8 without one"
        value=${value#$'\xef\xbb\xbf'}
    fi
    if [[ $value == *$'\r' ]]; then
        notice "$1: $2 ends in CR LF, and the CR is left out; save it with the line ends of Unix"
        value=${value%$'\r'}
    fi
}

# NAME_FILE: the value of NAME is in that file, as secrets are mounted. Not exported, so that no daemon's environment
# holds one.
for variable in "${!OSSEC_@}"; do
    [[ $variable == *_FILE && -n ${!variable} ]] || continue
    name=${variable%_FILE}
    [[ -z ${!name:-} ]] || fail 78 "$name: it is set, and $variable, too; leave one of the two out"
    # Somebody may have written the secret itself there.
    [[ ${!variable} == /* ]] || fail 78 "$variable: it is not the path of a file; write one that starts with /"
    read_value "$variable" "${!variable}"
    file_of[$name]=${!variable}
    printf -v "$name" %s "$value"
done
[[ -z ${!OSSEC_@} ]] || export -n "${!OSSEC_@}"

# is_service_link VARIABLE: whether Kubernetes has set it, as it does for each Service whose name begins with "ossec-", such as
# OSSEC_METRICS_PORT=tcp://10.0.0.1:9514.
is_service_link() {
    [[ $1 =~ _SERVICE_(HOST|PORT(_.*)?)$ || $1 =~ _PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$ ||
        $1 == *_PORT && ${!1} =~ ^(tcp|udp|sctp):// ]]
}

# Two of them have the names of variables of ours; there they count as not set.
for variable in "${!OSSEC_@}"; do
    is_service_link "$variable" || continue
    case $variable in
        OSSEC_METRICS_PORT | OSSEC_SYSLOG_PORT | OSSEC_TLS_PORT | OSSEC_RELP_PORT)
            notice "$variable: '${!variable}' is Kubernetes' address of a Service, so it counts as not set; set" \
                "enableServiceLinks: false in the pod, or give the Service another name"
            unset "$variable"
            ;;
    esac
done

# A secret is not shown: a password, or what came from a file.
shown() { # VARIABLE
    local value=${!1}
    if [[ -n ${file_of[$1]-} ]]; then
        echo "what ${file_of[$1]} holds"
    elif [[ $1 == *PASSWORD* ]]; then
        echo "a value that is not shown"
    elif ((${#value} > 200)); then
        echo "'${value:0:200}...'"
    else
        echo "'$value'"
    fi
}

# wrong VARIABLE WORDS: "is not a port; write ..."
wrong() { fail 78 "$1: $(shown "$1") ${2#which }"; }

# one_of VARIABLE VALUE WORD...
one_of() {
    local variable=$1 value=$2 word
    shift 2
    for word in "$@"; do
        [[ $value == "$word" ]] && return
    done
    wrong "$variable" "is not one of its values; write one of: $*"
}

level() { # VARIABLE VALUE
    [[ $2 =~ ^([0-9]|1[0-6])$ ]] || wrong "$1" "is not an alert level; write a number from 0 to 16"
}

# networks VARIABLE VALUE: sets $allowed_ips; addresses and CIDR networks, IPv4 and IPv6, with commas or white space between
# them. There may be more of them than fit into an argument.
networks() {
    local problem
    allowed_ips=$(sed -Ez 's/^\s+|\s+$//g; s/\s*,\s*/,/g; s/\s+/,/g' <<< "$2") || allowed_ips=$2
    problem=$(printf '%s\n' "${allowed_ips//,/$'\n'}" | ossec-intake --check-networks 2>&1) ||
        fail 78 "$1: ${problem#ossec-log-server: }"
}

port() { # VARIABLE NUMBER
    [[ $2 =~ ^[0-9]{1,5}$ ]] && ((10#$2 >= 1 && 10#$2 <= 65535)) && return
    wrong "$1" "is not a port; write a number from 1 to 65535"
}

# there FILE: whether the user has mounted it; a link to nothing is a mistake, not a missing file.
there() { [[ -e $1 || -L $1 ]]; }

# can_be_read FILE USE
can_be_read() {
    [[ -e $1 || ! -L $1 ]] || fail 78 "$1: it is a link to '$(readlink "$1")', where there is nothing; mount that, too"
    [[ -e $1 ]] || fail 78 "$1: there is no such file, and $2 needs it; mount it there"
    [[ ! -d $1 ]] || fail 78 "$1: it is a folder; Docker makes one where the file that it was to mount does not exist"
    [[ -r $1 ]] || fail 78 "$1: it cannot be read by UID $(id -u), and $2 needs it; make it readable for it"
}

# pem FILE KIND USE: whether a mounted file is what its use needs, a CERTIFICATE or a PRIVATE KEY.
pem() {
    can_be_read "$1" "$3"
    is_text "$1" || fail 78 "$1: it is not text in PEM form; if it is DER, convert it with openssl x509 -inform DER"
    grep -qsE -- "-----BEGIN ([A-Z]+ )*$2-----" "$1" || fail 78 "$1: it holds no $2 in PEM form; mount one that does"
    case $2 in
        CERTIFICATE)
            openssl x509 -in "$1" -noout 2>/dev/null ||
                fail 78 "$1: its CERTIFICATE cannot be read by OpenSSL; see openssl x509 -in ${1##*/} -text"
            openssl x509 -in "$1" -noout -checkend 0 > /dev/null 2>&1 ||
                notice "$1: its certificate has expired; renew it"
            ;;
        "PRIVATE KEY")
            ! grep -qs "ENCRYPTED" "$1" ||
                fail 78 "$1: the key is encrypted, and nobody is there to type its password; write it without one:" \
                    "openssl pkey -in ${1##*/} -out plain.key"
            openssl pkey -in "$1" -passin pass: -noout 2>/dev/null ||
                fail 78 "$1: its PRIVATE KEY cannot be read by OpenSSL; see openssl pkey -in ${1##*/} -text"
            ;;
    esac
}

# pem_pair CERTIFICATE KEY USE
pem_pair() {
    local of_certificate of_key
    pem "$1" CERTIFICATE "$3"
    pem "$2" "PRIVATE KEY" "$3"
    of_certificate=$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null) || of_certificate=none
    of_key=$(openssl pkey -in "$2" -pubout 2>/dev/null) || of_key=no
    [[ $of_certificate == "$of_key" ]] || fail 78 "$2: it is not the key of $1; mount the two that belong together"
}

# size VARIABLE VALUE LEAST EXAMPLE: in bytes, from "500m" or "2g".
size() {
    local most=$((1 << 50)) shift number
    [[ ${2,,} =~ ^([0-9]{1,16})([kmgt]?)(i?b)?$ ]] || wrong "$1" "is not a size; write for example $4"
    number=$((10#${BASH_REMATCH[1]}))
    case ${BASH_REMATCH[2]} in
        k) shift=10 ;;
        m) shift=20 ;;
        g) shift=30 ;;
        t) shift=40 ;;
        *) shift=0 ;;
    esac
    ((number <= most >> shift)) || wrong "$1" "is more than 1024t; write for example $4"
    ((number << shift >= $3)) || wrong "$1" "is less than $(numfmt --to=iec "$3"); write for example $4"
    echo $((number << shift))
}

# A variable that nothing here reads is an error where it looks like one misspelt, since the server would else run without
# what was asked of it. Another may be somebody else's (an environment shared by several containers) or a later
# release's, so it is told of. Kubernetes sets a Service's address in variables that begin with the Service's name.
check_names() {
    local name known distance closest
    known=$(grep -oh '\<OSSEC_[A-Z_]*[A-Z]\>' $lib/*/*.bash | sort -u) || known="" # each that is read is named there
    for name in "${!OSSEC_@}"; do
        [[ -z ${file_of[$name]-} ]] || continue # NAME_FILE, which it comes from, is there too
        ! is_service_link "$name" || continue
        read -r distance closest < <($lib/settings/closest "${name%_FILE}" <<< "$known") || distance=0
        if ((distance > 0 && distance <= 3)); then
            fail 78 "$name: unknown variable; did you mean $closest?"
        elif ((distance > 0)); then
            say "$name: unknown variable, so it has no effect; the closest is $closest"
        fi
    done
}

without_spaces() { echo "${1//[[:space:]]/}"; }

syslog_protocol=$(without_spaces "${OSSEC_SYSLOG_PROTOCOL:-udp,tcp}")
log_alert_level=$(without_spaces "${OSSEC_LOG_ALERT_LEVEL:-1}")
extra_rules=$(without_spaces "${OSSEC_EXTRA_RULES:-yes}")
relp=$(without_spaces "${OSSEC_RELP:-no}")
queue_disk=$(without_spaces "${OSSEC_QUEUE_DISK:-1g}")

retention_days=$(without_spaces "${OSSEC_RETENTION_DAYS:-0}")
retention_bytes=$(without_spaces "${OSSEC_RETENTION_BYTES:-0}")

one_of OSSEC_SYSLOG_PROTOCOL "$syslog_protocol" udp tcp udp,tcp tcp,udp
one_of OSSEC_EXTRA_RULES "$extra_rules" yes no
one_of OSSEC_RELP "$relp" yes no
queue_disk=$(size OSSEC_QUEUE_DISK "$queue_disk" $((1 << 20)) "500m or 2g")
[[ $retention_days =~ ^(0|[1-9][0-9]{0,4})$ ]] || wrong OSSEC_RETENTION_DAYS "is not a number of days; write for example 90"
retention_bytes=$(size OSSEC_RETENTION_BYTES "$retention_bytes" 0 "10g")
# The C library takes one that it does not know for UTC, without a word.
[[ -z ${TZ:-} || $TZ =~ ^[A-Za-z0-9_+/-]+$ && $(head -c 4 "/usr/share/zoneinfo/$TZ" 2>/dev/null) == TZif ]] ||
    wrong TZ "is not a time zone; write one of the tz database, such as Europe/Berlin"
networks OSSEC_ALLOWED_IPS "${OSSEC_ALLOWED_IPS:-10.0.0.0/8}"
level OSSEC_LOG_ALERT_LEVEL "$log_alert_level"
