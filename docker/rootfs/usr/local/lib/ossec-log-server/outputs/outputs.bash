# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# Outputs besides mail: alerts on standard output and to a forward target, and metrics.

alerts_stdout=$(without_spaces "${OSSEC_ALERTS_STDOUT:-yes}")
forward=$(without_spaces "${OSSEC_FORWARD:-}")
forward_format=$(without_spaces "${OSSEC_FORWARD_FORMAT:-syslog}")
metrics_port=$(without_spaces "${OSSEC_METRICS_PORT:-}")

one_of OSSEC_ALERTS_STDOUT "$alerts_stdout" yes no
one_of OSSEC_FORWARD_FORMAT "$forward_format" syslog json

if [[ -n $metrics_port ]]; then
    port OSSEC_METRICS_PORT "$metrics_port"
    [[ ! $metrics_port =~ ^(514|2514|6514)$ ]] ||
        wrong OSSEC_METRICS_PORT "is a port that syslog comes in at; write another, such as 9514"
fi

forward_folder=/etc/ossec-log-server/forward
if [[ -n $forward ]]; then
    [[ $forward =~ ^(tcp|tls|relp)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]+)$ ]] ||
        wrong OSSEC_FORWARD "is not where alerts can be sent; write tcp://host:port, tls://host:port or relp://host:port"
    forward_way=${BASH_REMATCH[1]}
    forward_host=${BASH_REMATCH[2]//[\[\]]/}
    forward_port=${BASH_REMATCH[3]}
    port OSSEC_FORWARD "$forward_port"
    if [[ $forward_way == tls ]]; then
        ! there $forward_folder/ca.crt || pem $forward_folder/ca.crt CERTIFICATE OSSEC_FORWARD
        if there $forward_folder/tls.crt || there $forward_folder/tls.key; then
            pem_pair $forward_folder/tls.crt $forward_folder/tls.key OSSEC_FORWARD
        fi
    fi
fi

# port_state PORT: "free ::" where the metrics can have it, "free 0.0.0.0" where the kernel has no IPv6; else the reason.
port_state() {
    # shellcheck disable=SC2016 # Perl's variables
    perl -MSocket=:DEFAULT,inet_pton,IPPROTO_IPV6,IPV6_V6ONLY -e '
        my ($port) = @ARGV;
        my ($s, $any);
        if (socket($s, AF_INET6, SOCK_STREAM, 0)) {
            setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, pack("i", 0));
            $any = ["::", pack_sockaddr_in6($port, inet_pton(AF_INET6, "::"))];
        } else {
            socket($s, AF_INET, SOCK_STREAM, 0) or die "$!\n";
            $any = ["0.0.0.0", pack_sockaddr_in($port, INADDR_ANY)];
        }
        setsockopt($s, SOL_SOCKET, SO_REUSEADDR, pack("i", 1));
        print bind($s, $any->[1]) && listen($s, 1) ? "free $any->[0]\n" : "$!\n"' "$1" 2>/dev/null || echo "it cannot be tried"
}

# check_metrics: whether mini_httpd will get its port; sets $metrics_address, its options for where it listens: where an IPv6
# socket takes no IPv4, its own way of two sockets.
check_metrics() {
    local state
    [[ -n $metrics_port ]] || return 0
    state=$(port_state "$metrics_port")
    case $state in
        "free ::")
            metrics_address=(-h ::)
            [[ $(cat /proc/sys/net/ipv6/bindv6only 2>/dev/null || true) != 1 ]] || metrics_address=()
            ;;
        "free "*) metrics_address=(-h "${state#free }") ;;
        "Permission denied") fail 73 "OSSEC_METRICS_PORT: this host gives a port below 1024 to root only; write a higher one, such as 9514" ;;
        "Address already in use") fail 73 "OSSEC_METRICS_PORT: $metrics_port is in use by another program in this network; write another port" ;;
        *) fail 73 "OSSEC_METRICS_PORT: $metrics_port cannot be listened on ($state); write another port, or leave it out" ;;
    esac
}

# start_output NAME WAY HOST PORT FORMAT: as the daemon ossec-NAME, with its place in the alerts in queue/NAME. Before the
# engine starts: where a power failure has left less than what was handed on, what the engine will write there is new.
start_output() {
    local position=$data/queue/$1/position
    ossec-output --settle $alerts "$position" >&2 || fail 70 "$position: ossec-output ended with status $?; look into the host's log"
    start "ossec-$1" ossec-output "${@:2}" $alerts "$position"
}
