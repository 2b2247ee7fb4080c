# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server, after settings.bash
# The receivers: TLS, and the configurations of the two rsyslogd that take syslog in.

# A certificate and its key, mounted there, switch TLS on; a CA makes clients show a certificate of it.
tls_folder=/etc/ossec-log-server/tls
tls=no
if [[ -e $tls_folder/tls.crt || -e $tls_folder/tls.key || -e $tls_folder/ca.crt ]]; then
    tls=yes
    pem $tls_folder/tls.crt CERTIFICATE TLS
    pem $tls_folder/tls.key "PRIVATE KEY" TLS
    [[ ! -e $tls_folder/ca.crt ]] || pem $tls_folder/ca.crt CERTIFICATE TLS
fi
direct=$([[ $tls == yes || $relp == yes ]] && echo yes || echo no)

# The largest receive buffer, in bytes, that this host gives a socket.
largest_buffer() {
    perl -MSocket -e 'socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
        setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack("l", 1 << 26));
        print unpack("l", getsockopt($s, SOL_SOCKET, SO_RCVBUF)) / 2' # the kernel doubles what it is asked for
}

# write_ruleset NAME ACTION: what every message goes through; as text, since rsyslog has no functions.
write_ruleset() {
    echo "ruleset(name=\"$1\" queue.type=\"Direct\") {"
    # shellcheck disable=SC2016 # rsyslog's variables
    echo 'if $protocol-version == "1" then { set $.line = exec_template("from-rfc5424"); }
        else { set $.line = $rawmsg-after-pri; }'
    echo "action($2) }"
}

# For plain UDP and TCP. rsyslog has no queue: ossec-handover takes all into its journal, up to OSSEC_QUEUE_DISK, and a
# FIFO that is not read holds its writer back, and so the senders. A queue would be emptied at the end, but what an
# input still has in its hands then is dropped where the queue is full. A FIFO takes many lines a write. Only one action
# may write to it: two would write into each other's lines.
# rsyslog calls a module that is loaded and has no listener an error, so each is loaded only where it is wanted.
write_plain() {
    local buffer
    write_ruleset plain \
        "type=\"omfile\" file=\"$run/handover\" template=\"handover\" ioBufferSize=\"64k\" flushOnTXEnd=\"on\""
    if [[ $syslog_protocol == *udp* ]]; then
        buffer=$(largest_buffer)
        ((buffer >= 4194304)) || say "UDP's receive buffer is $buffer bytes, all that this host allows: a burst may be" \
            "lost in it; set the host's net.core.rmem_max to 4194304 or more"
        echo 'module(load="imudp" timeRequery="8" batchSize="128")'
        echo "input(type=\"imudp\" port=\"514\" ruleset=\"plain\" rcvbufSize=\"$buffer\")"
    fi
    if [[ $syslog_protocol == *tcp* ]]; then
        echo 'module(load="imptcp" threads="2")'
        # The backlog: by default the 65th of those that connect at the same moment waits a second.
        echo 'input(type="imptcp" port="514" ruleset="plain" socketBacklog="4096" maxFrameSize="200000")'
    fi
}

# For RELP and TLS: a line is in the journal before the next is taken, and RELP acknowledges it then. TLS is here, since
# imtcp of rsyslog 8.2504 may crash when it ends with senders waiting.
write_direct() {
    write_ruleset direct "type=\"omprog\" template=\"handover\" confirmMessages=\"on\" forceSingleInstance=\"on\"
        binary=\"/usr/local/bin/ossec-handover --confirm $direct_journal $run/networks $queue_disk\"
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
