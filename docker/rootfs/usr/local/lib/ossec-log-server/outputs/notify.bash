# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after kinds.bash
# Alerts by HTTP. URLs and headers may be secrets: they are in no message, and no command line shows them.

notify_folder=/etc/ossec-log-server/notify
declare -ga notify_urls=()    # each FORMAT+URL
declare -gA notify_hosts=()   # host -> yes
declare -gA notify_headers=() # host, or any for the only one -> its lines "header NAME: VALUE"

# host_of URL: it without a user and a port, in small letters.
host_of() {
    local host=${1#*://}
    host=${host%%[/?#]*}
    host=${host##*@}
    if [[ $host == \[* ]]; then
        host=${host%%]*}]
    else
        host=${host%:*}
    fi
    echo "${host,,}"
}

kind_urls() { # NAME
    local entry form number=0 words formats=${about[OSSEC_NOTIFY_FORMAT.values]}
    local host='(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)'
    read -rd '' -a words <<< "${value//,/ }" || true
    for entry in "${words[@]}"; do
        number=$((number + 1))
        form=$notify_format
        if [[ $entry =~ ^([a-z]+)\+(https?://.*)$ ]]; then
            form=${BASH_REMATCH[1]}
            entry=${BASH_REMATCH[2]}
        fi
        [[ " $formats " == *" $form "* ]] ||
            fail 78 "$1: its URL $number has the unknown format '$form'; write one of: $formats"
        [[ $entry =~ ^https?://([^][:space:]/?#@]+@)?$host(:([0-9]+))?([/?#][[:graph:]]*)?$ && $entry != *[^[:graph:]]* ]] ||
            fail 78 "$1: its URL $number cannot be posted to; write for example https://ntfy.example.org/alerts"
        [[ -z ${BASH_REMATCH[4]} ]] || ((10#${BASH_REMATCH[4]} >= 1 && 10#${BASH_REMATCH[4]} <= 65535)) ||
            fail 78 "$1: its URL $number has a wrong port; write a number from 1 to 65535"
        [[ " ${notify_urls[*]} " != *"+$entry "* ]] || fail 78 "$1: its URL $number is there twice; leave one out"
        notify_urls+=("$form+$entry")
        notify_hosts[$(host_of "$entry")]=yes
    done
}

# What is a secret of one host goes to no other: with several hosts, "[host]" stands before the headers of each.
kind_headers() { # NAME
    ((${#notify_urls[@]})) || fail 78 "$1: it is set, and OSSEC_NOTIFY_URL is not; set that, too"
    local line host="" number=0 of_host='^\[([^][:space:]]+)\]$' header='^[A-Za-z0-9_-]+: *[^[:cntrl:]]+$'
    while IFS= read -r line; do
        number=$((number + 1))
        line=${line%$'\r'}
        [[ -n ${line//[[:space:]]/} ]] || continue
        if [[ $line =~ $of_host ]]; then
            host=${BASH_REMATCH[1],,}
            [[ $host != *:* ]] || host="[$host]" # IPv6
            [[ -n ${notify_hosts[$host]-} ]] ||
                fail 78 "$1: line $number names a host that is in no URL of OSSEC_NOTIFY_URL; write one that is"
            continue
        fi
        [[ $line =~ $header ]] ||
            fail 78 "$1: line $number is not a header; write one a line, such as Authorization: Bearer TOKEN"
        [[ -n $host || ${#notify_hosts[@]} == 1 ]] ||
            fail 78 "$1: the URLs are of several hosts, and line $number does not say for which it is; write" \
                "[HOST] on a line before it"
        notify_headers[${host:-any}]+="header $line"$'\n'
    done <<< "$value"
}

# What the table of settings can't say of them.
check_notify_settings() {
    ((${#notify_urls[@]})) && there $notify_folder/ca.crt || return 0
    pem $notify_folder/ca.crt CERTIFICATE OSSEC_NOTIFY_URL
}

# place_of URL: the name of its folder, which stays when others are added and left out.
place_of() {
    local sum
    sum=$(sha256sum <<< "$1") || fail 70 "OSSEC_NOTIFY_URL: no checksum of a URL could be made; look into the host's log"
    echo "${sum:0:16}"
}

notify_settings() { # URL
    local headers
    headers=${notify_headers[any]-}${notify_headers[$(host_of "$1")]-}
    printf 'url %s\nlevel %s\nper_hour %s\n%s' "$1" "$notify_level" "$notify_max_per_hour" "$headers"
    ! there $notify_folder/ca.crt || echo "authorities $notify_folder/ca.crt"
}

# want_notify: a daemon for each URL, ossec-notify, ossec-notify-2 and so on, each with a place of its own in the alerts. What it
# is told is in a file, as it may be a secret.
want_notify() {
    local entry url place number=0 name
    [[ -n ${http_proxy-} || -z ${HTTP_PROXY-} ]] || export http_proxy=$HTTP_PROXY # libcurl reads the small letters only
    for entry in "${notify_urls[@]}"; do
        number=$((number + 1))
        url=${entry#*+}
        place=$(place_of "$url")
        name=ossec-notify
        ((number == 1)) || name+=-$number
        on_volume "$data/queue/notify/$place" mkdir -p "$data/queue/notify/$place"
        in_run $run/notify mkdir -p -m 0700 $run/notify
        to_file "$run/notify/$place" notify_settings "$url"
        reads["$name"]=$(cat "$run/notify/$place" $notify_folder/ca.crt 2>/dev/null) || true # without ca.crt, too
        want "$name" ossec-notify http "$run/notify/$place" - "${entry%%+*}" $alerts "$data/queue/notify/$place/position"
    done
}

# The places of URLs that are not there any more, once nobody writes to them.
forget_notify_places() {
    local place
    for place in "$data"/queue/notify/*/; do
        place=${place%/}
        [[ ! -d $place || " ${command_of[*]} " == *"/${place##*/}/position'"* ]] || rm -rf "$place" || true
    done
}

# each_notify COMMAND [WORDS...]: for the name of each of these daemons.
each_notify() {
    local name
    for name in "${!pid[@]}"; do
        [[ $name != ossec-notify* ]] || "$1" "$name" "${@:2}" || true
    done
}
