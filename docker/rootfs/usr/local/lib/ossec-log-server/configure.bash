# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server, after settings.bash
# Writes what the daemons read, to /run, from the checked settings.

xml() { # TEXT: as XML character data
    local text=${1//&/&amp;}
    text=${text//</&lt;}
    echo "${text//>/&gt;}"
}

prepare_folders() {
    local folder month
    [[ -w $data ]] || fail 73 "$data cannot be written by UID $(id -u), group $(id -g) (it belongs to \
$(stat -c 'UID %u, group %g, mode %a' $data)); give the volume to that UID, or start the container with --user as its owner"
    for folder in logs/{alerts,archives,firewall} stats \
        queue/{fts,diff,syscheck,rootcheck,agent-info,agentless,rids,intake,outputs,mail/{queue,tmp,failed}}; do
        mkdir -p "$data/$folder" 2>/dev/null && [[ -w $data/$folder ]] ||
            fail 73 "$data/$folder cannot be made or written by UID $(id -u); give all of $data to that UID"
    done
    rm -rf $run
    mkdir -p $run/{queue,alerts,shared,nullmailer}
    # The engine removes these before it makes them, and calls it an error where there is nothing to remove.
    touch $run/queue/queue "$data/logs/alerts/alerts.json" "$data/logs/archives/archives.log" "$data/logs/firewall/firewall.log"
    # ossec-maild looks for the day's file before the first alert has made it.
    month=$alerts/$(date +%Y/%b)
    mkdir -p "$month"
    : >> "$month/ossec-alerts-$(date +%d).log"
    ln -f "$month/ossec-alerts-$(date +%d).log" $alerts/alerts.log
    : >> "$data/logs/ossec.log"
    [[ -p $data/queue/mail/trigger ]] || mkfifo -m 0600 "$data/queue/mail/trigger"
}

write_ossec_conf() {
    local address
    echo "<ossec_config><global>"
    echo "<logall>yes</logall><jsonout_output>yes</jsonout_output>"
    echo "<email_notification>$email_notification</email_notification>"
    if [[ $email_notification == yes ]]; then
        for address in ${email_to//,/ }; do
            echo "<email_to>$(xml "$address")</email_to>"
        done
        echo "<email_from>$(xml "$email_from")</email_from>"
        echo "<smtp_server>$lib/sendmail $(xml "$email_from")</smtp_server>"
    fi
    echo "</global>"
    echo "<alerts><log_alert_level>$log_alert_level</log_alert_level>"
    echo "<email_alert_level>$email_alert_level</email_alert_level></alerts>"
    cat /var/ossec/etc/rules.conf
    echo "<rootcheck><disabled>yes</disabled></rootcheck><active-response><disabled>yes</disabled></active-response>"
    echo "</ossec_config>"
}

# rsyslog calls a module that is loaded and has no listener an error.
write_listeners() {
    if [[ $syslog_protocol == *udp* ]]; then
        echo 'module(load="imudp" timeRequery="8" batchSize="128")'
        echo 'input(type="imudp" port="514" ruleset="engine")'
    fi
    if [[ $syslog_protocol == *tcp* ]]; then
        echo 'module(load="imptcp" threads="2")'
        echo 'input(type="imptcp" port="514" ruleset="engine" maxFrameSize="200000")'
    fi
}

write_configuration() {
    write_ossec_conf > $run/ossec.conf
    write_listeners > $run/listeners.conf
    tr , '\n' <<< "$allowed_ips" > $run/networks
    cp -f /var/ossec/etc/local_rules.xml.default $run/local_rules.xml
    hostname > $run/mailname
    if [[ $email_notification == yes ]]; then
        echo "$smtp_host smtp --port=$smtp_port" > $run/nullmailer/remotes
    fi
}

check_configuration() {
    local problem
    problem=$(/var/ossec/bin/ossec-analysisd -t 2>&1) || fail 78 "OSSEC does not take its configuration: $problem"
    problem=$(rsyslogd -N1 -f $lib/intake.conf 2>&1) || fail 78 "rsyslog does not take its configuration: $problem"
}
