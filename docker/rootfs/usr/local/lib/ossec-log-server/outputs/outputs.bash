# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# Outputs besides mail: alerts on standard output and to a forward target, and metrics.

forward_folder=/etc/ossec-log-server/forward

# Checks that the table of settings cannot express.
check_output_settings() {
    check_notify_settings
    [[ -n $forward && $forward_way == @(tls|relps) ]] || return 0
    ! there $forward_folder/ca.crt || pem $forward_folder/ca.crt CERTIFICATE OSSEC_FORWARD
    if there $forward_folder/tls.crt || there $forward_folder/tls.key; then
        pem_pair $forward_folder/tls.crt $forward_folder/tls.key OSSEC_FORWARD
    fi
}

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
    local state port
    [[ -n $metrics_port ]] || return 0
    # Its own mini_httpd has the port.
    if [[ $command == reconfigure ]] && read -r port state 2>/dev/null < "$watched/metrics" && [[ $port == "$metrics_port" ]]; then
        read -ra metrics_address <<< "$state" || true
        return 0
    fi
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

# want_output NAME WAY HOST PORT FORMAT: as the daemon ossec-NAME, with its place in the alerts in queue/NAME.
want_output() { want "ossec-$1" ossec-output "${@:2}" $alerts "$data/queue/$1/position"; }

# settle_output NAME: before it starts, and before the engine does at the server's start: where a power failure has left less
# than what was handed on, what the engine will write there is new.
settle_output() {
    local position=${command_of[$1]##* } # its last word, quoted
    position=${position//\'/}
    ossec-output --settle $alerts "$position" >&2 || fail 70 "$position: ossec-output ended with status $?; look into the host's log"
}
