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
        queue/{fts,diff,syscheck,rootcheck,agent-info,agentless,rids,intake,direct,outputs,mail/{queue,tmp,failed}}; do
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

# The largest receive buffer, in bytes, that this host gives a socket.
largest_buffer() {
    perl -MSocket -e 'socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
        setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack("l", 1 << 26));
        print unpack("l", getsockopt($s, SOL_SOCKET, SO_RCVBUF)) / 2' # the kernel doubles what it is asked for
}

# write_ruleset NAME QUEUE ACTION: what every message goes through; as text, since rsyslog has no functions.
write_ruleset() {
    echo "ruleset(name=\"$1\" $2) {"
    # shellcheck disable=SC2016 # rsyslog's variables
    echo 'if $protocol-version == "1" then { set $.line = exec_template("from-rfc5424"); }
        else { set $.line = $rawmsg-after-pri; }'
    echo "action($3) }"
}

# For the receiver with a queue: in memory first, on the volume when the engine is slow or away, and kept there over
# a restart; full, it makes senders wait. Without its light delay, by which TCP senders would wait at 70 % of the memory
# and never come to the disk. A FIFO takes many messages a write, and one that is not read holds its
# writer back. Only one action may write to it: two would write into each other's lines.
# rsyslog calls a module that is loaded and has no listener an error, so each is loaded only where it is wanted.
write_queued() {
    local buffer
    write_ruleset engine "queue.type=\"LinkedList\" queue.size=\"20000\" queue.dequeueBatchSize=\"1024\"
        queue.filename=\"engine\" queue.maxDiskSpace=\"$queue_disk\" queue.checkpointInterval=\"100\"
        queue.saveOnShutdown=\"on\" queue.timeoutShutdown=\"3000\" queue.timeoutEnqueue=\"2000000000\"
        queue.workerThreads=\"1\" queue.lightDelayMark=\"20000\"" \
        "type=\"omfile\" file=\"$run/handover\" template=\"handover\" ioBufferSize=\"64k\" flushOnTXEnd=\"on\""
    if [[ $syslog_protocol == *udp* ]]; then
        buffer=$(largest_buffer)
        ((buffer >= 4194304)) || say "UDP's receive buffer is $buffer bytes, all that this host allows: a burst may be" \
            "lost in it; set the host's net.core.rmem_max to 4194304 or more"
        echo 'module(load="imudp" timeRequery="8" batchSize="128")'
        echo "input(type=\"imudp\" port=\"514\" ruleset=\"engine\" rcvbufSize=\"$buffer\")"
    fi
    if [[ $syslog_protocol == *tcp* ]]; then
        echo 'module(load="imptcp" threads="2")'
        # The backlog: by default the 65th of those that connect at the same moment waits a second.
        echo 'input(type="imptcp" port="514" ruleset="engine" socketBacklog="4096" maxFrameSize="200000")'
    fi
}

# For the receiver without a queue: a line is in the journal before the next is taken, and RELP acknowledges it
# then. TLS is here too, apart from the queue, as imtcp of rsyslog 8.2504 may crash when it ends with senders waiting.
write_direct() {
    write_ruleset direct 'queue.type="Direct"' "type=\"omprog\" template=\"handover\" confirmMessages=\"on\" forceSingleInstance=\"on\"
        binary=\"/usr/local/bin/ossec-handover --confirm $direct_journal $run/networks\"
        action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\""
    if [[ $tls == yes ]]; then
        echo "global(defaultNetstreamDriverCertFile=\"$tls_folder/tls.crt\"
            defaultNetstreamDriverKeyFile=\"$tls_folder/tls.key\""
        [[ ! -e $tls_folder/ca.crt ]] || echo "defaultNetstreamDriverCAFile=\"$tls_folder/ca.crt\""
        echo ')'
        echo 'module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" maxSessions="2000" maxFrameSize="200000"'
        echo "streamDriver.authMode=\"$([[ -e $tls_folder/ca.crt ]] && echo x509/certvalid || echo anon)\")"
        echo 'input(type="imtcp" port="6514" ruleset="direct")'
    fi
    if [[ $relp == yes ]]; then
        echo 'module(load="imrelp")'
        echo 'input(type="imrelp" port="2514" ruleset="direct" maxDataSize="64k" keepAlive="on")'
    fi
}

# write_receiver KIND FOLDER: its whole configuration; the folder is for what it keeps.
write_receiver() {
    echo "global(workDirectory=\"$data/queue/$2\")"
    echo "module(load=\"impstats\" interval=\"2\" format=\"json\" ruleset=\"statistics\")"
    cat $lib/receiver.conf
    "write_$1"
}

write_configuration() {
    write_ossec_conf > $run/ossec.conf
    write_receiver queued intake > $run/receiver.conf
    [[ $direct == no ]] || write_receiver direct direct > $run/receiver-direct.conf
    # And this container itself, for the health check.
    tr , '\n' <<< "$allowed_ips,127.0.0.1" > $run/networks
    cp -f /var/ossec/etc/local_rules.xml.default $run/local_rules.xml
    hostname > $run/mailname
    if [[ $email_notification == yes ]]; then
        echo "$smtp_host smtp --port=$smtp_port" > $run/nullmailer/remotes
    fi
}

check_configuration() {
    local problem file
    problem=$(/var/ossec/bin/ossec-analysisd -t 2>&1) || fail 78 "OSSEC does not take its configuration: $problem"
    for file in "$run"/receiver*.conf; do
        problem=$(rsyslogd -N1 -f "$file" 2>&1) || fail 78 "rsyslog does not take its configuration: $problem"
    done
}
