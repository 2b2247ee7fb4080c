# shellcheck shell=bash # sourced by ossec-log-server
# From the environment to checked values, by the table settings.ini. An empty variable means its default; a wrong one
# ends the container with 78 (EX_CONFIG) and one line that names it.

settings=()            # their names, in the order of the table
declare -gA about=()    # NAME.FIELD -> what the table says of it
declare -gA file_of=()  # NAME -> the file that its value came from
largest_value=$((4 << 20)) # bytes of a file that holds one

# notice MESSAGE...: a warning, which only the server and `check` print.
notice() {
    case $command in
        "" | check | reconfigure) say "$@" ;;
    esac
}

# read_table FILE NAMES FIELDS: reads an INI file into an array of its sections and one of their fields.
read_table() {
    local -n names=$2 fields=$3
    local key value
    { while read -r key _ value; do
        case $key in
            "" | "#"*) ;;
            "["*) names+=("${key//[][]/}") ;;
            *) fields[${names[-1]}.$key]=$value ;;
        esac
    done } < "$1" || fail 70 "$1: cannot be read; this is a fault of the image"
}

# read_settings: sets $some_name for each OSSEC_SOME_NAME.
read_settings() {
    local name
    read_table $lib/settings/settings.ini settings about
    for name in "${settings[@]}"; do
        take_from_file "$name"
        forget_service_link "$name"
        read_setting "$name"
    done
    # shellcheck disable=SC2154 # the name that it has as a setting
    [[ -z ${TZ-} ]] || export TZ=$tz
    # No daemon's environment holds a secret.
    [[ -z ${!OSSEC_@} ]] || export -n "${!OSSEC_@}"
}

# take_from_file NAME: the value is in the file that NAME_FILE names, as secrets are mounted.
take_from_file() {
    local from=$1_FILE value
    [[ -n ${!from-} ]] || return 0
    [[ -z ${!1-} ]] || fail 78 "$1: it is set, and $from, too; leave one of the two out"
    # Somebody may have written the secret itself there.
    [[ ${!from} == /* ]] || fail 78 "$from: it is not the path of a file; write one that starts with /"
    read_value "$from" "${!from}"
    file_of[$1]=${!from}
    printf -v "$1" %s "$value"
}

# read_value VARIABLE FILE: sets $value to what the file holds, without the end of its last line.
read_value() {
    local LC_ALL=C size
    [[ -f $2 && -r $2 ]] || fail 78 "$1: '$2' is not a file that UID $(id -u) can read; mount a readable one there"
    size=$(stat -L -c %s "$2") || size=$((largest_value + 1))
    ((size <= largest_value)) || fail 78 "$1: $2 is larger than 4 MiB; name the right file"
    is_text "$2" || fail 78 "$1: $2 holds a NUL byte, as UTF-16 does; save it as plain UTF-8"
    # `$(< FILE)` says nothing of a file that fails while it is read.
    value=$(cat -- "$2" 2> /dev/null) || fail 78 "$1: $2 cannot be read; mount a file there that can"
    [[ -n $value ]] || notice "$1: $2 is empty, so ${1%_FILE} counts as not set; write its value there, or leave $1 out"
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

# is_service_link VARIABLE: whether Kubernetes has set it, as it does for each Service whose name begins with "ossec-", such as
# OSSEC_METRICS_PORT=tcp://10.0.0.1:9514.
is_service_link() {
    [[ $1 == *_SERVICE_* || $1 == *_PORT* ]] || return 1 # cheaper than the patterns
    [[ $1 =~ _SERVICE_(HOST|PORT(_.*)?)$ || $1 =~ _PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$ ||
        $1 == *_PORT && ${!1-} =~ ^(tcp|udp|sctp):// ]]
}

# forget_service_link NAME: some have the name of a setting of ours; there they count as not set.
forget_service_link() {
    is_service_link "$1" || return 0
    notice "$1: '${!1}' is Kubernetes' address of a Service, so it counts as not set; set" \
        "enableServiceLinks: false in the pod, or give the Service another name"
    unset "$1"
}

# value_of NAME: sets $found to the checked value, which is in $some_name.
value_of() {
    local variable=${1#OSSEC_}
    variable=${variable,,}
    found=${!variable-}
}

# is_used NAME: whether it counts, by its field used_with.
is_used() {
    local with=${about[$1.used_with]-} found
    [[ -n $with ]] || return 0
    value_of "${with% *}"
    [[ $found == "${with#* }" ]]
}

# default_of NAME: sets $value to its default.
default_of() {
    local with=${about[$1.default_with]-} found=""
    value=${about[$1.default]-}
    [[ -z $with ]] || value_of "${with% *}"
    [[ -z $found ]] || value=${with#* }
}

read_setting() { # NAME
    local variable=${1#OSSEC_} value=${!1-}
    case ${about[$1.kind]} in
        networks | peers | urls | headers) ;; # white space may stand between them
        text | secret) value=${value%$'\n'} ;;
        *) value=${value//[[:space:]]/} ;;
    esac
    [[ -n $value ]] || default_of "$1"
    if is_used "$1"; then
        [[ -n $value || -z ${about[$1.used_with]-} ]] ||
            fail 78 "$1: it is empty, and ${about[$1.used_with]/ /=} needs it; write ${about[$1.help]//\`}"
        [[ -z $value ]] || "kind_${about[$1.kind]}" "$1" || fail 70 "$1: it cannot be checked; this is a fault of the image"
    fi
    printf -v "${variable,,}" %s "$value"
}

# A secret is not shown: a password, or what came from a file.
shown() { # NAME
    local value=${!1-}
    if [[ -n ${file_of[$1]-} ]]; then
        echo "what ${file_of[$1]} holds"
    elif [[ ${about[$1.kind]} =~ ^(secret|urls|headers)$ ]]; then
        echo "a value that is not shown"
    elif ((${#value} > 200)); then
        echo "'${value:0:200}...'"
    else
        echo "'$value'"
    fi
}

# wrong NAME WORDS: "is not a port; write ..."
wrong() { fail 78 "$1: $(shown "$1") $2"; }

# check_names: a variable that is not in the table is an error where it looks like one misspelt, since the server would run
# without what was asked of it. Another may be somebody else's (an environment shared by several containers) or a later
# release's, so it gets a line in the log.
check_names() {
    local name distance closest
    for name in "${!OSSEC_@}"; do
        [[ -z ${about[$name.kind]-}${about[${name%_FILE}.kind]-} ]] || continue
        ! is_service_link "$name" || continue
        read -r distance closest < <(printf '%s\n' "${settings[@]}" | $lib/settings/closest "${name%_FILE}") || distance=0
        if ((distance > 0 && distance <= 3)); then
            fail 78 "$name: unknown variable; did you mean $closest?"
        elif ((distance > 0)); then
            say "$name: unknown variable, so it has no effect; the closest is $closest"
        fi
    done
}

# show_settings: what each is, with a "#" before those that have their default.
show_settings() {
    local name value
    for name in "${settings[@]}"; do
        if [[ -n ${!name-} ]]; then
            echo "$name=$(shown "$name")"
        else
            default_of "$name"
            echo "# $name='$value'"
        fi
    done
}
