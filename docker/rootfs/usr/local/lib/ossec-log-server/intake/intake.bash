# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# ossec-intake, which receives syslog: its settings, its start, and the check that it would start.

ports=()           # their names, in the order of the table
declare -gA about_port=() # NAME.FIELD -> what the table says of it, and NAME.number in force

# A certificate and its key there switch TLS on; with a CA, clients must show a certificate signed by it.
tls_folder=/etc/ossec-log-server/tls

# Checks that the table of settings cannot express. Sets $about_port, $tls and $ca.
check_intake_settings() {
    local name found others
    tls=no
    ca=""
    read_table $lib/intake/ports.ini ports about_port
    for name in "${ports[@]}"; do
        [[ -n ${about_port[$name.moved_by]-} ]] || continue
        value_of "${about_port[$name.moved_by]}"
        about_port[$name.number]=$found
    done
    check_ports
    if [[ -d $tls_folder && ! -x $tls_folder ]]; then
        fail 78 "$tls_folder: it cannot be searched by UID $(id -u), which needs that for TLS; give the folder the mode 0755"
    fi
    if there $tls_folder/tls.crt || there $tls_folder/tls.key || there $tls_folder/ca.crt; then
        tls=yes
        ! there $tls_folder/ca.crt || ca=$tls_folder/ca.crt
    elif others=$(cd $tls_folder 2> /dev/null && compgen -G '*' | LC_ALL=C sort); then
        fail 78 "$tls_folder: it holds ${others//$'\n'/, }, and neither tls.crt nor tls.key; give the certificate and its key" \
            "these names"
    fi
    [[ $tls == yes || $relp != tls ]] || wrong OSSEC_RELP "needs a certificate; mount tls.crt and tls.key in $tls_folder"
    [[ -z $tls_peers || -n $ca ]] ||
        wrong OSSEC_TLS_PEERS "needs the authority of the clients' certificates; mount ca.crt in $tls_folder"
}

# No two ports of one protocol may have the same number, even if they are off.
check_ports() {
    local name other setting
    for name in "${ports[@]}"; do
        setting=${about_port[$name.moved_by]-}
        [[ -n $setting && -n ${!setting-} ]] || continue
        for other in "${ports[@]}"; do
            [[ $other == "$name" || ${about_port[$other.protocol]} != "${about_port[$name.protocol]}" ||
                ${about_port[$other.number]-} != "${about_port[$name.number]}" ]] || wrong "$setting" "is the port of ${other^^}; write another"
        done
    done
}

# The options that the running intake and its check have in common, as an array.
intake_options() {
    options_of_intake=(--networks "$made/networks" --max-connections "$max_connections"
        --max-per-source "$max_connections_per_source")
    [[ -z $trusted_proxies ]] || options_of_intake+=(--proxies "$made/proxies")
    [[ -z $trusted_relays ]] || options_of_intake+=(--relays "$made/relays")
    [[ $syslog_protocol != *udp* ]] || options_of_intake+=(--udp "${about_port[udp.number]}")
    [[ $syslog_protocol != *tcp* ]] || options_of_intake+=(--tcp "${about_port[tcp.number]}")
    [[ $relp == no ]] || options_of_intake+=(--relp "${about_port[relp.number]}")
    [[ $relp != tls ]] || options_of_intake+=(--relp-tls)
    [[ $tls == yes ]] || return 0
    options_of_intake+=(--tls "${about_port[tls.number]}" --certificate "$tls_folder/tls.crt" --key "$tls_folder/tls.key")
    [[ -z $ca ]] || options_of_intake+=(--ca "$ca")
    [[ -z $tls_peers ]] || options_of_intake+=(--peers "$made/peers")
    [[ $tls_min_version == 1.2 ]] || options_of_intake+=(--tls-1.3)
    [[ -z $tls_ciphers ]] || options_of_intake+=(--ciphers "$tls_ciphers")
}

# Ends the container with one line where the intake would not start: its certificates, its ports. What a reload can't change is
# compared with what runs.
check_intake() {
    local status=0 opened="$tz $tls $relp $syslog_protocol ${about_port[udp.number]}" before
    to_file "$made/networks" printf '%s\n' "${allowed_ips//,/$'\n'}"
    to_file "$made/peers" printf '%s\n' "$tls_peers"
    to_file "$made/opened" echo "$opened"
    to_file "$made/proxies" printf '%s\n' "${trusted_proxies//,/$'\n'}"
    to_file "$made/relays" printf '%s\n' "${trusted_relays//,/$'\n'}"
    intake_options
    to_file "$made/intake.options" printf '%s\n' --limit "$queue_disk" --senders "$data/queue/senders/list" \
        --silent "$sender_silent" "${options_of_intake[@]}"
    if [[ $command == reconfigure ]]; then
        before=$(< "$running_configuration/opened") || before=""
        [[ $before == "$opened" ]] || fail 78 "the time zone, ports and protocols, and whether there is TLS, are set at the start of" \
            "the container; restart it"
    fi
    ossec-intake --check "${options_of_intake[@]}" || status=$?
    ((status == 0)) || exit "$status"
}
