# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# What takes syslog in: the settings of ossec-intake, its start, and the check that it would start.

syslog_port=$(without_spaces "${OSSEC_SYSLOG_PORT:-514}")
port OSSEC_SYSLOG_PORT "$syslog_port"
syslog_port=$((10#$syslog_port))
for taken in 6514:TLS 2514:RELP; do
    [[ $syslog_port != "${taken%:*}" ]] || wrong OSSEC_SYSLOG_PORT "is the port of ${taken#*:}; write another"
done

# number_of_connections VARIABLE VALUE
number_of_connections() {
    [[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || wrong "$1" "is not a number from 1 to 999999"
}

max_connections=$(without_spaces "${OSSEC_MAX_CONNECTIONS:-4096}")
max_connections_per_source=$(without_spaces "${OSSEC_MAX_CONNECTIONS_PER_SOURCE:-1024}")
number_of_connections OSSEC_MAX_CONNECTIONS "$max_connections"
number_of_connections OSSEC_MAX_CONNECTIONS_PER_SOURCE "$max_connections_per_source"

# A certificate and its key, mounted there, switch TLS on; a CA makes clients show a certificate of it. A link that leads
# nowhere counts as mounted, and so does what a folder that may not be looked into may hold.
tls_folder=/etc/ossec-log-server/tls
tls=no
ca=""
is_there() { [[ -e $1 || -L $1 ]]; }
if [[ -d $tls_folder && ! -x $tls_folder ]]; then
    fail 78 "$tls_folder cannot be searched by UID $(id -u), which needs that for TLS; give the folder the mode 0755"
fi
if is_there $tls_folder/tls.crt || is_there $tls_folder/tls.key || is_there $tls_folder/ca.crt; then
    tls=yes
    ! is_there $tls_folder/ca.crt || ca=$tls_folder/ca.crt
fi

# The options that the running intake and its check have in common, as an array.
intake_options() {
    options_of_intake=(--networks "$run/networks" --max-connections "$max_connections"
        --max-per-source "$max_connections_per_source")
    [[ $syslog_protocol != *udp* ]] || options_of_intake+=(--udp "$syslog_port")
    [[ $syslog_protocol != *tcp* ]] || options_of_intake+=(--tcp "$syslog_port")
    [[ $tls == no ]] || options_of_intake+=(--tls 6514 --certificate "$tls_folder/tls.crt" --key "$tls_folder/tls.key")
    [[ -z $ca ]] || options_of_intake+=(--ca "$ca")
    [[ $relp == no ]] || options_of_intake+=(--relp 2514)
}

# Ends the container with one line where the intake would not start: its certificates, its ports.
check_intake() {
    local status=0
    to_file $run/networks printf '%s\n' "${allowed_ips//,/$'\n'}"
    intake_options
    ossec-intake --check "${options_of_intake[@]}" || status=$?
    ((status == 0)) || exit "$status"
}

start_intake() {
    intake_options
    start ossec-intake ossec-intake --journal "$journal" --limit "$queue_disk" "${options_of_intake[@]}" >&2
}
