# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server, after settings.bash
# Writes what the daemons read, to /run, from the checked settings.

xml() { # TEXT: as XML character data
    local text=${1//&/&amp;}
    text=${text//</&lt;}
    echo "${text//>/&gt;}"
}

write_ossec_conf() {
    echo "<ossec_config><global>"
    echo "<logall>yes</logall><jsonout_output>yes</jsonout_output>"
    write_global_mail
    echo "</global>"
    echo "<alerts><log_alert_level>$log_alert_level</log_alert_level>"
    echo "<email_alert_level>$email_alert_level</email_alert_level></alerts>"
    cat /var/ossec/etc/rules.conf
    echo "<rootcheck><disabled>yes</disabled></rootcheck><active-response><disabled>yes</disabled></active-response>"
    echo "</ossec_config>"
}

write_configuration() {
    write_ossec_conf > $run/ossec.conf
    write_receiver queued intake > $run/receiver.conf
    [[ $direct == no ]] || write_receiver direct direct > $run/receiver-direct.conf
    # And this container itself, for the health check.
    tr , '\n' <<< "$allowed_ips,127.0.0.1" > $run/networks
    cp -f /var/ossec/etc/local_rules.xml.default $run/local_rules.xml
    write_mail_queue
}

check_configuration() {
    local problem file
    problem=$(/var/ossec/bin/ossec-analysisd -t 2>&1) || fail 78 "OSSEC does not take its configuration: $problem"
    for file in "$run"/receiver*.conf; do
        problem=$(rsyslogd -N1 -f "$file" 2>&1) || fail 78 "rsyslog does not take its configuration: $problem"
    done
}
