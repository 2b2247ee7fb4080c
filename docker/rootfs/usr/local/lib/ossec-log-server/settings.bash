# shellcheck shell=bash disable=SC2034 # sourced by ossec-log-server, which uses the values
# Reads the environment. An empty variable means its default; a wrong one ends the container with 78 (EX_CONFIG)
# and one line that names it.

wrong() { fail 78 "$1 is '${!1}', $2"; }

# one_of VARIABLE VALUE WORD...
one_of() {
    local variable=$1 value=$2 word
    shift 2
    for word in "$@"; do
        [[ $value == "$word" ]] && return
    done
    wrong "$variable" "which is none of: $*"
}

level() { # VARIABLE VALUE
    [[ $2 =~ ^([0-9]|1[0-6])$ ]] || wrong "$1" "which is no alert level; write a number from 0 to 16"
}

address_pattern='[A-Za-z0-9._%+=/~-]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?'

addresses() { # VARIABLE VALUE
    [[ $2 =~ ^$address_pattern(,$address_pattern)*$ ]] ||
        wrong "$1" "which is no mail address; write name@domain, several with commas between them"
}

# networks VARIABLE VALUE: addresses and CIDR networks, IPv4 and IPv6, with commas between them.
networks() {
    local bad
    # shellcheck disable=SC2016 # Perl's variables
    bad=$(perl -MSocket=inet_pton,AF_INET,AF_INET6 -e '
        for (split /,/, $ARGV[0], -1) {
            my ($ip, $bits, $rest) = split m{/}, $_, -1;
            my $width = !defined $ip ? 0 : defined inet_pton(AF_INET, $ip) ? 32 : defined inet_pton(AF_INET6, $ip) ? 128 : 0;
            next if $width && !defined $rest && (!defined $bits || $bits =~ /^\d{1,3}$/ && $bits <= $width);
            print "\"$_\""; last;
        }' "$2")
    [[ -z $bad ]] || wrong "$1" "where $bad is no address or network; write for example 10.0.0.0/8,192.0.2.7,2001:db8::/32"
}

without_spaces() { echo "${1//[[:space:]]/}"; }

email_notification=$(without_spaces "${OSSEC_EMAIL_NOTIFICATION:-no}")
email_to=$(without_spaces "${OSSEC_EMAIL_TO:-}")
email_from=$(without_spaces "${OSSEC_EMAIL_FROM:-}")
smtp_server=$(without_spaces "${OSSEC_SMTP_SERVER:-}")
syslog_protocol=$(without_spaces "${OSSEC_SYSLOG_PROTOCOL:-udp,tcp}")
allowed_ips=$(without_spaces "${OSSEC_ALLOWED_IPS:-10.0.0.0/8}")
log_alert_level=$(without_spaces "${OSSEC_LOG_ALERT_LEVEL:-1}")
relp=$(without_spaces "${OSSEC_RELP:-no}")
queue_disk=$(without_spaces "${OSSEC_QUEUE_DISK:-1g}")
email_alert_level=$(without_spaces "${OSSEC_EMAIL_ALERT_LEVEL:-7}")

one_of OSSEC_EMAIL_NOTIFICATION "$email_notification" yes no
one_of OSSEC_SYSLOG_PROTOCOL "$syslog_protocol" udp tcp udp,tcp tcp,udp
one_of OSSEC_RELP "$relp" yes no
[[ $queue_disk =~ ^[1-9][0-9]*[kmg]?$ ]] || wrong OSSEC_QUEUE_DISK "which is no size; write for example 500m or 2g"
networks OSSEC_ALLOWED_IPS "$allowed_ips"
level OSSEC_LOG_ALERT_LEVEL "$log_alert_level"
level OSSEC_EMAIL_ALERT_LEVEL "$email_alert_level"

if [[ $email_notification == yes ]]; then
    for variable in OSSEC_EMAIL_TO OSSEC_EMAIL_FROM OSSEC_SMTP_SERVER; do
        [[ -n ${!variable:-} ]] || fail 78 "$variable is empty, and OSSEC_EMAIL_NOTIFICATION=yes needs it"
    done
    addresses OSSEC_EMAIL_TO "$email_to"
    addresses OSSEC_EMAIL_FROM "$email_from"
    [[ $email_from != *,* ]] || wrong OSSEC_EMAIL_FROM "which are several addresses; write one"
    [[ $smtp_server =~ ^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:([0-9]{1,5}))?$ ]] ||
        wrong OSSEC_SMTP_SERVER "which is no server; write host, host:port or [IPv6 address]:port"
    smtp_host=${BASH_REMATCH[1]//[\[\]]/}
    smtp_port=${BASH_REMATCH[3]:-25}
    ((10#$smtp_port >= 1 && 10#$smtp_port <= 65535)) ||
        wrong OSSEC_SMTP_SERVER "whose port is not between 1 and 65535"
fi

# A certificate and its key, mounted there, switch TLS on; a CA makes clients show a certificate of it.
tls_folder=/etc/ossec-log-server/tls
tls=no
if [[ -e $tls_folder/tls.crt || -e $tls_folder/tls.key || -e $tls_folder/ca.crt ]]; then
    tls=yes
    for file in tls.crt tls.key ca.crt; do
        [[ $file == ca.crt && ! -e $tls_folder/$file ]] && continue
        [[ -r $tls_folder/$file ]] || fail 78 "$tls_folder/$file cannot be read by UID $(id -u); TLS needs it there"
        [[ $file == *.key ]] && kind="PRIVATE KEY" || kind="CERTIFICATE"
        grep -qE -- "-----BEGIN ([A-Z]+ )?$kind-----" $tls_folder/$file ||
            fail 78 "$tls_folder/$file holds no $kind in PEM form"
    done
fi
direct=$([[ $tls == yes || $relp == yes ]] && echo yes || echo no)
