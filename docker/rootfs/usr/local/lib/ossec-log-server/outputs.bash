# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# Outputs besides mail: alerts on standard output and to another receiver, and metrics.

alerts_stdout=$(without_spaces "${OSSEC_ALERTS_STDOUT:-yes}")
forward=$(without_spaces "${OSSEC_FORWARD:-}")
forward_format=$(without_spaces "${OSSEC_FORWARD_FORMAT:-syslog}")
metrics_port=$(without_spaces "${OSSEC_METRICS_PORT:-}")

one_of OSSEC_ALERTS_STDOUT "$alerts_stdout" yes no
one_of OSSEC_FORWARD_FORMAT "$forward_format" syslog json

if [[ -n $metrics_port ]]; then
    port OSSEC_METRICS_PORT "$metrics_port"
    [[ ! $metrics_port =~ ^(514|2514|6514)$ ]] ||
        wrong OSSEC_METRICS_PORT "which is a port of the receiver's own; write another, such as 9514"
fi

forward_folder=/etc/ossec-log-server/forward
if [[ -n $forward ]]; then
    [[ $forward =~ ^(tcp|tls|relp)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]+)$ ]] ||
        wrong OSSEC_FORWARD "which is no receiver; write tcp://host:port, tls://host:port or relp://host:port"
    forward_way=${BASH_REMATCH[1]}
    forward_host=${BASH_REMATCH[2]//[\[\]]/}
    forward_port=${BASH_REMATCH[3]}
    port OSSEC_FORWARD "$forward_port"
    if [[ $forward_way == tls ]]; then
        [[ ! -e $forward_folder/ca.crt ]] || pem $forward_folder/ca.crt CERTIFICATE OSSEC_FORWARD
        if [[ -e $forward_folder/tls.crt || -e $forward_folder/tls.key ]]; then
            pem $forward_folder/tls.crt CERTIFICATE OSSEC_FORWARD
            pem $forward_folder/tls.key "PRIVATE KEY" OSSEC_FORWARD
        fi
    fi
fi

# An engine that was killed may have left half an alert, with which the next one would share a line.
cut_half_alert() {
    local file=$alerts/alerts.json
    [[ ! -s $file || -z $(tail -c 1 $file) ]] || truncate -s "-$(tail -n 1 $file | wc -c)" $file
}

# start_output NAME WAY HOST PORT FORMAT: as the daemon ossec-NAME, with its place in the alerts in queue/NAME.
start_output() { start "ossec-$1" ossec-output "${@:2}" $alerts "$data/queue/$1/position"; }
