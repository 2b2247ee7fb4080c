# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# Mail: from its settings to what ossec-maild and the mail queue (nullmailer) read.

mail_position=$data/queue/mail/position
debian_authorities=/etc/ssl/certs/ca-certificates.crt
own_authority=/etc/ossec-log-server/smtp/ca.crt

# Checks that the table of settings cannot express.
check_mail_settings() {
    [[ $email_notification == yes ]] || return 0
    [[ -z $smtp_user || -n $smtp_password ]] ||
        fail 78 "OSSEC_SMTP_PASSWORD: it is empty, and OSSEC_SMTP_USER is set; set both or none"
    [[ -n $smtp_user || -z $smtp_password ]] ||
        fail 78 "OSSEC_SMTP_USER: it is empty, and OSSEC_SMTP_PASSWORD is set; set both or none"
    if [[ $smtp_tls != none ]] && there $own_authority; then
        pem $own_authority CERTIFICATE OSSEC_SMTP_TLS
    fi
}

# One word for a shell, without a backslash, which OSSEC's XML reader would interpret.
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

# One word for nullmailer's remotes. Inside of '' everything is literal; " and \ are not reliable there.
quoted() { # TEXT
    echo "'${1//\'/\'\"\'\"\'}'"
}

# The relay, for mail/relay, and when it is tried: 10 s after it was away, then twice as long each
# time, up to 5 minutes; a mail that nobody took for a week goes to failed/.
write_mail_queue() {
    local words helo authorities=$debian_authorities queue=$made/nullmailer
    { read -r helo < /proc/sys/kernel/hostname; } 2>/dev/null || helo=localhost
    to_file "$made/mailname" echo "$helo"
    [[ $email_notification == yes ]] || return 0
    ! there $own_authority || authorities=$own_authority
    words="$(quoted "$smtp_server_host") relay"
    case $smtp_tls in
        none) words+=" --port=${smtp_server_port:-25}" ;;
        starttls) words+=" --port=${smtp_server_port:-587} --starttls" ;;
        implicit) words+=" --port=${smtp_server_port:-465} --ssl" ;;
    esac
    if [[ $smtp_tls != none ]]; then
        # Without a file nullmailer would not look at the certificate at all.
        [[ $smtp_tls_verify == yes ]] && words+=" --x509cafile=$authorities" || words+=" --insecure"
    fi
    [[ -z $smtp_user ]] || words+=" --user=$(quoted "$smtp_user") --pass=$(quoted "$smtp_password")"
    (umask 077 && to_file "$queue/remotes" echo "$words")
    # The name in HELO: relays may refuse one without a domain, which a container's usually is.
    [[ $helo == *.* ]] || helo=${email_from#*@}
    to_file "$queue/helohost" echo "$helo"
    to_file "$queue/pausetime" echo 10
    to_file "$queue/maxpause" echo 300
    to_file "$queue/sendtimeout" echo 600 # the relay program gives up before
    to_file "$queue/queuelifetime" echo 604800
}

# Before ossec-maild starts: it continues at its position on the volume. While mail is off there is no position, so alerts
# of that time are not mailed later.
prepare_mail() {
    local stale=("$data"/queue/mail/tmp/*)
    # A hard link to a queued mail, which the next mail of the same PID would overwrite.
    [[ ! -e ${stale[0]} ]] || on_volume "$data/queue/mail/tmp" rm -f "${stale[@]}"
    if [[ $email_notification == no || ${global[smtp_server]-} != "$lib/sendmail "* ]]; then
        [[ ! -e $mail_position ]] || on_volume "$mail_position" rm -f "$mail_position"
        return
    fi
    $lib/mail/mail-position "$mail_position" $alerts || exit $? # which has said why
}
