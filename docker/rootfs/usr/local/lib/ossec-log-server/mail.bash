# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# Mail: what the environment says of it, and what ossec-maild and the mail queue (nullmailer) read.

address_pattern='[A-Za-z0-9._%+=/~-]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?'

addresses() { # VARIABLE VALUE
    [[ $2 =~ ^$address_pattern(,$address_pattern)*$ ]] ||
        wrong "$1" "which is no mail address; write name@domain, several with commas between them"
}

email_notification=$(without_spaces "${OSSEC_EMAIL_NOTIFICATION:-no}")
email_to=$(without_spaces "${OSSEC_EMAIL_TO:-}")
email_from=$(without_spaces "${OSSEC_EMAIL_FROM:-}")
smtp_server=$(without_spaces "${OSSEC_SMTP_SERVER:-}")
email_alert_level=$(without_spaces "${OSSEC_EMAIL_ALERT_LEVEL:-7}")

one_of OSSEC_EMAIL_NOTIFICATION "$email_notification" yes no
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

# What ossec.conf says of mail, in its <global>.
write_global_mail() {
    local address
    echo "<email_notification>$email_notification</email_notification>"
    if [[ $email_notification == yes ]]; then
        for address in ${email_to//,/ }; do
            echo "<email_to>$(xml "$address")</email_to>"
        done
        echo "<email_from>$(xml "$email_from")</email_from>"
        echo "<smtp_server>$lib/sendmail $(xml "$email_from")</smtp_server>"
    fi
}

write_mail_queue() {
    hostname > $run/mailname
    if [[ $email_notification == yes ]]; then
        echo "$smtp_host smtp --port=$smtp_port" > $run/nullmailer/remotes
    fi
}
