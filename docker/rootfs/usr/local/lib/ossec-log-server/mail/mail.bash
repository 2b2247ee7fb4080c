# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# Mail: what the environment says of it, and what ossec-maild and the mail queue (nullmailer) read.

label='[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?'
# shellcheck disable=SC2016 # characters that RFC 5321 allows before the @, outside of quotes
word='[A-Za-z0-9!#$%&'"'"'*+/=?^_`{|}~-]+'
address_pattern="$word(\.$word)*@($label\.)+$label"
mail_position=$data/queue/mail/position
debian_authorities=/etc/ssl/certs/ca-certificates.crt
own_authority=/etc/ossec-log-server/smtp/ca.crt

# not_an_address VARIABLE ADDRESS: says why.
not_an_address() {
    case $2 in
        *\"*) wrong "$1" "is not an email address that OSSEC takes, as a part of it is in quotes; write one without" ;;
        *@*.*) wrong "$1" "is not an email address; write name@example.org, several with commas between them" ;;
        *?@?*) wrong "$1" "holds '$2', whose domain has no dot; write the whole domain, such as name@mail.example.org" ;;
        *) wrong "$1" "is not an email address; write name@example.org, several with commas between them" ;;
    esac
}

# addresses VARIABLE VALUE
addresses() {
    local address list=()
    IFS=, read -ra list <<< "$2" || true
    [[ $2 != ,* && $2 != *, && $2 != *,,* ]] || not_an_address "$1" ""
    for address in "${list[@]}"; do
        [[ $address =~ ^$address_pattern$ ]] || not_an_address "$1" "$address"
        # ossec-maild cuts a header where it would be longer than 128.
        ((${#address} <= 100)) || wrong "$1" "holds an address that is longer than 100 characters; write a shorter one"
        [[ $1 != OSSEC_EMAIL_TO || $address == *[A-Za-z0-9_-]@* ]] ||
            wrong "$1" "holds '$address', and OSSEC takes letters, digits, '-' and '_' only just before the @; write another address"
    done
}

# secret_text VARIABLE VALUE: what can be one line of the queue's configuration.
secret_text() { [[ $2 != *[[:cntrl:]]* ]] || wrong "$1" "which holds a control character, such as a second line"; }

email_notification=$(without_spaces "${OSSEC_EMAIL_NOTIFICATION:-no}")
email_to=$(without_spaces "${OSSEC_EMAIL_TO:-}")
email_from=$(without_spaces "${OSSEC_EMAIL_FROM:-}")
email_alert_level=$(without_spaces "${OSSEC_EMAIL_ALERT_LEVEL:-7}")
email_max_per_hour=$(without_spaces "${OSSEC_EMAIL_MAX_PER_HOUR:-60}")
smtp_server=$(without_spaces "${OSSEC_SMTP_SERVER:-}")
smtp_user=${OSSEC_SMTP_USER:-}
smtp_user=${smtp_user%$'\n'} # a file's last line has one
smtp_password=${OSSEC_SMTP_PASSWORD:-}
smtp_password=${smtp_password%$'\n'}
# A password goes over the net in the clear only where that is asked for.
smtp_tls=$(without_spaces "${OSSEC_SMTP_TLS:-$([[ -n $smtp_user ]] && echo starttls || echo none)}")
smtp_tls_verify=$(without_spaces "${OSSEC_SMTP_TLS_VERIFY:-yes}")

one_of OSSEC_EMAIL_NOTIFICATION "$email_notification" yes no
one_of OSSEC_SMTP_TLS "$smtp_tls" none starttls implicit
one_of OSSEC_SMTP_TLS_VERIFY "$smtp_tls_verify" yes no
level OSSEC_EMAIL_ALERT_LEVEL "$email_alert_level"
[[ $email_max_per_hour =~ ^[1-9][0-9]{0,3}$ ]] ||
    wrong OSSEC_EMAIL_MAX_PER_HOUR "which is no number of mails; write one from 1 to 9999"
secret_text OSSEC_SMTP_USER "$smtp_user"
secret_text OSSEC_SMTP_PASSWORD "$smtp_password"

if [[ $email_notification == yes ]]; then
    for variable in OSSEC_EMAIL_TO OSSEC_EMAIL_FROM OSSEC_SMTP_SERVER; do
        [[ -n ${!variable:-} ]] || fail 78 "$variable: is empty; OSSEC_EMAIL_NOTIFICATION=yes needs it"
    done
    addresses OSSEC_EMAIL_TO "$email_to"
    addresses OSSEC_EMAIL_FROM "$email_from"
    [[ $email_from != *,* ]] || wrong OSSEC_EMAIL_FROM "which are several addresses; write one"
    [[ $smtp_server =~ ^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:([0-9]{1,5}))?$ ]] ||
        wrong OSSEC_SMTP_SERVER "which is no server; write host, host:port or [IPv6 address]:port"
    smtp_host=${BASH_REMATCH[1]//[\[\]]/}
    smtp_port=${BASH_REMATCH[3]}
    case $smtp_tls in
        none) smtp_port=${smtp_port:-25} ;;
        starttls) smtp_port=${smtp_port:-587} ;;
        implicit) smtp_port=${smtp_port:-465} ;;
    esac
    port OSSEC_SMTP_SERVER "$smtp_port"
    [[ -z $smtp_user || -n $smtp_password ]] || fail 78 "OSSEC_SMTP_PASSWORD: is empty, and OSSEC_SMTP_USER is set; set both or none"
    [[ -n $smtp_user || -z $smtp_password ]] || fail 78 "OSSEC_SMTP_USER: is empty, and OSSEC_SMTP_PASSWORD is set; set both or none"
    if [[ $smtp_tls != none ]] && there $own_authority; then
        pem $own_authority CERTIFICATE OSSEC_SMTP_TLS
    fi
fi

# As one word of a shell's, without a backslash, which OSSEC's XML would read as its own.
shell_word() { # TEXT
    [[ $1 =~ ^[A-Za-z0-9@._+-]+$ ]] && echo "$1" || echo "'${1//\'/\'\"\'\"\'}'"
}

# What ossec.conf says of mail, in its <global>. OSSEC knows no entities of XML, and an address has no "<".
write_global_mail() {
    local address list=()
    echo "<email_notification>$email_notification</email_notification>"
    if [[ $email_notification == yes ]]; then
        IFS=, read -ra list <<< "$email_to"
        for address in "${list[@]}"; do
            echo "<email_to>$address</email_to>"
        done
        echo "<email_from>$email_from</email_from>"
        echo "<email_maxperhour>$email_max_per_hour</email_maxperhour>"
        echo "<smtp_server>$lib/sendmail $(shell_word "$email_from")</smtp_server>"
    fi
}

# As one word of nullmailer's remotes. Within ' it takes everything as it is; what its " and \ do differs with what follows.
quoted() { # TEXT
    echo "'${1//\'/\'\"\'\"\'}'"
}

# The relay, for mail/relay, and when it is tried: 10 s after it was away, then twice as long each
# time, up to 5 minutes; a mail that nobody took for a week goes to failed/.
write_mail_queue() {
    local words helo authorities=$debian_authorities queue=$run/nullmailer
    to_file $run/mailname hostname
    [[ $email_notification == yes ]] || return 0
    ! there $own_authority || authorities=$own_authority
    words="$(quoted "$smtp_host") relay --port=$smtp_port"
    case $smtp_tls in
        starttls) words+=" --starttls" ;;
        implicit) words+=" --ssl" ;;
    esac
    if [[ $smtp_tls != none ]]; then
        # Without a file nullmailer would not look at the certificate at all.
        [[ $smtp_tls_verify == yes ]] && words+=" --x509cafile=$authorities" || words+=" --insecure"
    fi
    [[ -z $smtp_user ]] || words+=" --user=$(quoted "$smtp_user") --pass=$(quoted "$smtp_password")"
    (umask 077 && to_file $queue/remotes echo "$words")
    # What it says it is: relays may refuse a name without a domain, as a container's is unless it was given one.
    helo=$(hostname)
    [[ $helo == *.* ]] || helo=${email_from#*@}
    to_file $queue/helohost echo "$helo"
    to_file $queue/pausetime echo 10
    to_file $queue/maxpause echo 300
    to_file $queue/sendtimeout echo 600 # the relay program gives up before
    to_file $queue/queuelifetime echo 604800
}

# Before ossec-maild starts. It goes on where it was, on the volume; with no mail asked for, there is nothing to go on
# with, and what is written meanwhile is not mailed later.
prepare_mail() {
    # A second name of a mail, which the next one of the same PID would be written into.
    on_volume "$data/queue/mail/tmp" rm -f "$data"/queue/mail/tmp/*
    if [[ $email_notification == no || $(says smtp_server) != "$lib/sendmail "* ]]; then
        on_volume "$mail_position" rm -f "$mail_position"
        return
    fi
    $lib/mail/mail-position "$mail_position" $alerts || exit $? # which has said why
}
