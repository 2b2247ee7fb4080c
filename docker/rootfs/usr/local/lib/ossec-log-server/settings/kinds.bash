# shellcheck shell=bash # sourced by ossec-log-server, after settings.bash
# The kinds of settings, as the table names them. kind_KIND NAME ends with one line where $value is not of that kind, and may
# put it into the form that the scripts use.

label='[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?'
# shellcheck disable=SC2016 # characters that RFC 5321 allows before the @, outside of quotes
word='[A-Za-z0-9!#$%&'"'"'*+/=?^_`{|}~-]+'
address_pattern="$word(\.$word)*@($label\.)+$label"
host_pattern='\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+'

kind_yes_no() { kind_choice "$1" "yes no"; }

kind_choice() { # NAME [VALUES]
    local values=${2-${about[$1.values]}}
    [[ " $values " == *" $value "* ]] || wrong "$1" "is not one of its values; write one of: $values"
}

number() { # NAME LEAST MOST WHAT
    [[ $value =~ ^(0|[1-9][0-9]{0,8})$ && $value -ge $2 && $value -le $3 ]] || wrong "$1" "is not $4; write a number from $2 to $3"
}

kind_number() { number "$1" "${about[$1.least]}" "${about[$1.most]}" "a number of ${about[$1.of]}"; }

kind_level() { number "$1" 0 16 "an alert level"; }

kind_port() {
    is_port "$value" || wrong "$1" "is not a port; write a number from 1 to 65535"
    value=$((10#$value))
}

is_port() { [[ $1 =~ ^[0-9]{1,5}$ ]] && ((10#$1 >= 1 && 10#$1 <= 65535)); }

# From "500m" or "2g" to bytes.
kind_size() {
    local most=$((1 << 50)) least=${about[$1.least]} for="write for example ${about[$1.example]}" shift number
    local -A shift_of=([b]=0 [k]=10 [m]=20 [g]=30 [t]=40)
    [[ ${value,,} =~ ^([0-9]{1,16})([kmgt]?)(i?b)?$ ]] || wrong "$1" "is not a size; $for"
    number=$((10#${BASH_REMATCH[1]}))
    shift=${shift_of[${BASH_REMATCH[2]:-b}]}
    ((number <= most >> shift)) || wrong "$1" "is more than 1024t; $for"
    value=$((number << shift))
    ((value >= least)) || wrong "$1" "is less than $(numfmt --to=iec "$least"); $for"
}

# From "30m" or "24h" to seconds.
kind_duration() {
    local -A unit=([s]=1 [m]=60 [h]=3600 [d]=86400)
    [[ ${value,,} =~ ^(0|[1-9][0-9]{0,6})([smhd]?)$ ]] && [[ -n ${BASH_REMATCH[2]} || ${BASH_REMATCH[1]} == 0 ]] ||
        wrong "$1" "is not a time; write for example 30m, 24h or 7d"
    value=$((BASH_REMATCH[1] * ${unit[${BASH_REMATCH[2]:-s}]}))
    ((value == 0 || value >= 10 && value <= 31536000)) || wrong "$1" "is not from 10s to 365d; write for example 24h"
}

# To one form with commas. There may be more of them than fit into an argument.
kind_networks() {
    local problem raw=$value
    [[ $raw != *[[:space:]]* ]] || value=$(sed -Ez 's/^\s+|\s+$//g; s/\s*,\s*/,/g; s/\s+/,/g' <<< "$raw") || value=$raw
    problem=$(printf '%s\n' "${value//,/$'\n'}" | ossec-intake --check-networks 2>&1) ||
        fail 78 "$1: ${problem#ossec-log-server: }"
}

# Names and networks, an entry a line, as ossec-intake reads them.
kind_peers() {
    local problem
    value=$(printf '%s' "$value" | tr -s ', \t\n' '\n' | sed '/^$/d') || value=""
    problem=$(printf '%s\n' "$value" | ossec-intake --check-peers 2>&1) ||
        fail 78 "$1: ${problem#ossec-log-server: }"
}

# ossec-intake looks at each of them.
kind_ciphers() {
    [[ ${#value} -lt 4096 && $value != *[![:graph:]]* ]] ||
        wrong "$1" "is not a list of ciphers; write what 'openssl ciphers' takes, such as ECDHE+AESGCM:ECDHE+CHACHA20"
}

# The C library silently takes an unknown one for UTC.
kind_time_zone() {
    local magic=""
    [[ ! $value =~ ^[A-Za-z0-9_+/-]+$ ]] || read -rN 4 magic 2>/dev/null < "/usr/share/zoneinfo/$value" || true
    [[ $magic == TZif ]] || wrong "$1" "is not a time zone; write one of the tz database, such as Europe/Berlin"
}

# not_an_address NAME ADDRESS: says why.
not_an_address() {
    case $2 in
        *\"*) wrong "$1" "is not an email address that OSSEC takes, as a part of it is in quotes; write one without" ;;
        *@*.*) ;;
        *?@?*) wrong "$1" "holds '$2', whose domain has no dot; write the whole domain, such as name@mail.example.org" ;;
    esac
    wrong "$1" "is not an email address; write name@example.org, several with commas between them"
}

kind_recipients() {
    local address list=()
    IFS=, read -ra list <<< "$value" || true
    [[ $value != ,* && $value != *, && $value != *,,* ]] || not_an_address "$1" ""
    for address in "${list[@]}"; do
        [[ $address =~ ^$address_pattern$ ]] || not_an_address "$1" "$address"
        # ossec-maild cuts a header where it would be longer than 128.
        ((${#address} <= 100)) || wrong "$1" "holds an address that is longer than 100 characters; write a shorter one"
        [[ ${about[$1.kind]} != recipients || $address == *[A-Za-z0-9_-]@* ]] ||
            wrong "$1" "holds '$address', and OSSEC takes letters, digits, '-' and '_' only just before the @; write another address"
    done
}

kind_address() {
    [[ $value != *,* ]] || wrong "$1" "holds several addresses; write one"
    kind_recipients "$1"
}

# parts_of NAME WAY HOST PORT: sets $some_name_way, _host and _port.
parts_of() {
    local variable=${1#OSSEC_}
    [[ -z $4 ]] || is_port "$4" || wrong "$1" "holds '$4', which is not a port; write a number from 1 to 65535"
    printf -v "${variable,,}_way" %s "$2"
    printf -v "${variable,,}_host" %s "${3//[\[\]]/}"
    printf -v "${variable,,}_port" %s "$4"
}

kind_server() {
    [[ $value =~ ^($host_pattern)(:([0-9]+))?$ ]] || wrong "$1" "is not a server; write host, host:port or [IPv6 address]:port"
    parts_of "$1" "" "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}"
}

kind_target() {
    [[ $value =~ ^(tcp|tls|relps?)://($host_pattern):([0-9]+)$ ]] ||
        wrong "$1" "is not where alerts can be sent; write tcp://host:port, and for tcp also tls, relp or relps"
    parts_of "$1" "${BASH_REMATCH[@]:1:3}"
}

# It becomes one line of the mail queue's configuration.
kind_text() { [[ $value != *[[:cntrl:]]* ]] || wrong "$1" "holds a control character, such as a second line; write one line"; }

kind_secret() { kind_text "$1"; }
