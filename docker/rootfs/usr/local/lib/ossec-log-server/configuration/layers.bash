# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# The user's own files, mounted one by one or as a folder in /etc/ossec-log-server. A file in etc/ on the volume counts where
# none of its name is mounted.

mounts=/etc/ossec-log-server
kept=/var/ossec/data/etc
default_options=/var/ossec/etc/local_internal_options.conf.default

# readable PATH: whether the user has such a file. One that cannot be read is an error, not a missing one.
readable() {
    [[ -e $1 || -L $1 ]] || return 1
    can_be_read "$1" "the configuration"
    is_text "$1" || fail 78 "$1: it holds a NUL byte, as UTF-16 does; save it as plain UTF-8"
}

# one_file NAME: sets $found to its path, or to nothing.
one_file() {
    for found in "$mounts/$1" "$kept/$1"; do
        ! readable "$found" || return 0
    done
    found=
}

# searchable FOLDER: ends with 78 where it is there and cannot be listed: nothing would be found in it, and the server would run
# without what was asked of it.
searchable() {
    [[ ! -e $1 || -r $1 && -x $1 ]] ||
        fail 78 "$1: it cannot be read by UID $(id -u); make it readable and searchable for it"
}

# many_files FOLDER SUFFIX PLACE...: sets the array $found to their paths, in the order of their names.
many_files() {
    local folder=$1 suffix=$2 place path name
    local -A by_name=()
    for place in "${@:3}"; do
        searchable "$place/$folder"
        for path in "$place/$folder"/*; do
            name=${path##*/}
            if [[ -n ${by_name[$name]-} ]]; then
                continue
            elif [[ $name != *"$suffix" ]]; then
                [[ ! -e $path ]] || say "$path: it is not read, as its name does not end in $suffix; rename it"
            elif [[ $name == *[![:alnum:]._-]* ]]; then
                [[ ! -e $path ]] || fail 78 "$path: OSSEC can't take this name; use letters, digits, '.', '_' and '-'"
            elif readable "$path"; then
                by_name[$name]=$path
            fi
        done
    done
    found=()
    ((${#by_name[@]} > 0)) || return 0
    while read -r name; do
        [[ -z $name ]] || found+=("${by_name[$name]}")
    done < <(printf '%s\n' "${!by_name[@]}" | LC_ALL=C sort)
}

# The places of kalaksi/ossec-log-server's files, which an upgrade empties: files that were put there since are not read.
warn_of_old_places() {
    local path
    [[ -s $data/.layout ]] || return 0
    for path in "$data"/rules/* "$kept"/{ossec.conf,decoder.xml,internal_options.conf}; do
        [[ ! -e $path ]] || notice "$path: it is not read, as it lies where older images had it; $(right_place "$path")"
    done
}

# Sets $native, $fragments, $local_rules, $local_decoders, $rules, $lists, $options: what there is of each.
find_files() {
    local path name
    local -a found
    for path in "$mounts" "$kept" "$mounts"/{tls,smtp,forward,notify,conf.d,rules,lists}; do
        [[ -e $path || ! -L $path ]] ||
            fail 78 "$path: it is a link to '$(readlink "$path")', where nothing is; mount the folder itself"
        [[ ! -e $path || -d $path ]] || fail 78 "$path: it is a file and must be a folder; mount a folder there"
        searchable "$path"
    done
    one_file local_rules.xml && local_rules=$found
    one_file local_decoder.xml && local_decoders=$found
    one_file local_internal_options.conf && options=$found
    native=$mounts/ossec.conf
    readable "$native" || native=
    many_files conf.d .conf "$mounts" && fragments=("${found[@]}")
    many_files rules .xml "$mounts" "$kept" && rules=("${found[@]}")
    many_files lists "" "$mounts" "$kept" && lists=("${found[@]}")
    for path in "$mounts"/*; do
        name=${path##*/}
        case $name in
            tls | smtp | forward | notify | conf.d | rules | lists | tests | ossec.conf | local_rules.xml | local_decoder.xml | local_internal_options.conf | '*') ;;
            *) say "$path: it is not read; what is read there: ossec.conf, conf.d/*.conf, local_rules.xml, rules/*.xml," \
                "local_decoder.xml, lists/, local_internal_options.conf, tls/, smtp/, forward/, notify/" ;;
        esac
    done
    warn_of_old_places
    [[ -z $native || ${#fragments[@]} == 0 ]] ||
        fail 78 "$native: it is used as it is, so ${fragments[0]} has no place in it; leave one of the two out"
}

# check_files KIND FILE...: where OSSEC would say nothing, or nothing clear.
check_files() {
    local problem
    (($# > 1)) || return 0
    problem=$($lib/configuration/ossec-files check "$@" 2>&1) || fail 78 "${problem:-$mounts: its check ended without a word; try again}"
}

# Settings that are written to ossec.conf. The others hold with any ossec.conf.
warn_of_overridden() {
    local name unused
    local -a ignored=()
    for name in "${settings[@]}"; do
        [[ ${about[$name.written_to]-} != ossec.conf || -z ${!name-} ]] || ignored+=("$name")
    done
    [[ ${#ignored[@]} == 0 ]] || say "$native: it is used as it is, so these have no effect: ${ignored[*]}"
    unused=$($lib/configuration/ossec-files unused "$native") || fail 78 "$native: it cannot be read again; try again"
    [[ -z $unused ]] || say "$native: no daemon of this image reads $unused"
}

check_layers() {
    [[ -z $native ]] || check_files config "$native"
    check_files config "${fragments[@]}"
    check_files rules ${local_rules:+"$local_rules"} "${rules[@]}"
    check_files decoders ${local_decoders:+"$local_decoders"}
    check_files lists "${lists[@]}"
    check_files options ${options:+"$options"}
    [[ -z $native ]] || warn_of_overridden
}
