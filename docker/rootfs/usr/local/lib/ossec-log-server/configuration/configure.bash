# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server, after settings.bash and layers.bash
# Writes what the daemons read, to /run, from the checked settings and files, and has the daemons check it.

# What is made of one set of settings and files lies in one folder, so that another takes its place as a whole: the daemons
# read $run/NAME, which leads through the link $run/configuration to one of $run/configurations/.
made=$run/configurations/1
configuration_files=(ossec.conf local_internal_options.conf local_rules.xml local_decoder.xml lists nullmailer mailname networks)

# use_configuration FOLDER: from now on the daemons that start read that one.
use_configuration() {
    in_run $run/configuration ln -sfn "$1" $run/configuration.new
    in_run $run/configuration mv -T $run/configuration.new $run/configuration
}

# write_extra KIND ELEMENT: the image's own files of that kind, in the order of their names.
write_extra() {
    local file
    for file in /var/ossec/extra/"$1"/*.xml; do
        echo "<$2>$file</$2>"
    done
}

# OSSEC takes the first decoder that fits. So ours for a certain program come before the release's, and ours for any program
# after them. If one file of decoders is named, all must be named, the user's too.
write_decoders() {
    write_extra decoders decoder
    echo "<decoder>/var/ossec/etc/decoder.xml</decoder>"
    write_extra families decoder
    [[ -z $local_decoders ]] || echo "<decoder>$local_decoders</decoder>"
}

# One section for all: OSSEC forgets the rules of an earlier section when it reads a later one.
write_rules() {
    local file name stock=/var/ossec/etc/rules.conf changes="" added=()
    for file in "${rules[@]}"; do
        name=${file##*/}
        if grep -q "<include>$name<" $stock; then
            say "$file: it is used in place of the image's own $name"
            changes+="s|<include>$name<|<include>$file<|;"
        else
            added+=("<include>$file</include>")
        fi
    done
    sed -E "/local_rules.xml|<\/rules>/d; $changes" $stock
    if [[ $extra_rules == yes ]]; then
        write_decoders
        write_extra rules include
    fi
    [[ $sender_silent == 0 ]] || write_extra own include
    printf '%s\n' "${added[@]}"
    echo "<include>${local_rules:-local_rules.xml}</include>"
    for file in "${lists[@]}"; do
        echo "<list>lists/${file##*/}</list>"
    done
    for file in "${fragments[@]}"; do
        $lib/configuration/ossec-files rules "$file"
    done
    echo "</rules>"
}

write_ossec_conf() {
    local file
    echo "<ossec_config><global>"
    echo "<logall>yes</logall>"
    echo "<jsonout_output>yes</jsonout_output>"
    write_global_mail
    echo "</global>"
    echo "<alerts><log_alert_level>$log_alert_level</log_alert_level>"
    echo "<email_alert_level>$email_alert_level</email_alert_level></alerts>"
    write_rules
    echo "<rootcheck><disabled>yes</disabled></rootcheck><active-response><disabled>yes</disabled></active-response>"
    for file in "${fragments[@]}"; do
        $lib/configuration/ossec-files sections "$file"
    done
    echo "</ossec_config>"
}

without_carriage_returns() { sed 's/\r$//' "$1"; } # FILE: as an editor of Windows' writes it

# The compiled lists lie beside their sources, in a folder that can be written.
write_lists() {
    local problem file
    [[ ${#lists[@]} != 0 ]] || return 0
    for file in "${lists[@]}"; do
        to_file "$made/lists/${file##*/}" without_carriage_returns "$file"
    done
    problem=$(/var/ossec/bin/ossec-makelists 2>&1) ||
        fail 78 "$mounts/lists: OSSEC does not compile the lists (${problem//$'\n'/ }); look at their lines, key:value each"
}

# The first that says a value wins.
write_options() {
    [[ -z $options ]] || without_carriage_returns "$options"
    echo
    cat $default_options
}

write_configuration() {
    if [[ -n $native ]]; then
        [[ $sender_silent == 0 ]] || grep -q extra/own/senders.xml "$native" || notice "OSSEC_SENDER_SILENT: $native has no rule for" \
            "it, so no alert comes; add <include>/var/ossec/extra/own/senders.xml</include> to its <rules>"
        to_file "$made/ossec.conf" cat "$native"
    else
        to_file "$made/ossec.conf" write_ossec_conf
    fi
    in_run "$made/local_rules.xml" ln -sfn "${local_rules:-/var/ossec/etc/local_rules.xml.default}" "$made/local_rules.xml"
    [[ -z $local_decoders ]] || in_run "$made/local_decoder.xml" ln -sfn "$local_decoders" "$made/local_decoder.xml"
    to_file "$made/local_internal_options.conf" write_options
    write_mail_queue
}

# read_own_global: what `write_ossec_conf` has put there, an element a line.
read_own_global() {
    local name text
    { while IFS="<>" read -r _ name text _ && [[ $name != /global ]]; do
        global[$name]=$text
    done } < "$made/ossec.conf" || fail 70 "$run/ossec.conf: cannot be read again; try again"
}

# read_global: sets $global to what is in the configuration's <global>, whoever wrote it. The last of a name counts.
read_global() {
    local lines name text
    declare -gA global=()
    if [[ -z $native && ${#fragments[@]} == 0 ]]; then
        read_own_global
        return
    fi
    lines=$($lib/configuration/ossec-files global "$made/ossec.conf") || fail 70 "$run/ossec.conf: cannot be read again; try again"
    while read -r name text; do
        [[ -z $name ]] || global[$name]=$text
    done <<< "$lines"
}

# check_daemon NAME: by the daemon itself, whose words become one line with the user's file in it.
check_daemon() {
    local output status=0
    output=$("/var/ossec/bin/$1" -t 2>&1) || status=$?
    ((status != 0)) || return 0
    ((status <= 128)) || fail 71 "$1: its check of the configuration was ended by $(signal_of "$status");" \
        "give the container more memory, or see the host's log"
    output=$($lib/configuration/ossec-files explain ${native:+"$native"} "${fragments[@]}" ${local_rules:+"$local_rules"} "${rules[@]}" \
        ${local_decoders:+"$local_decoders"} <<< "$output") || output="$run/ossec.conf: OSSEC says: ${output//$'\n'/ }"
    fail 78 "$output"
}

# What the image needs of an ossec.conf that the user may have written.
check_agreement() {
    local place=${native:-"a file in $mounts/conf.d"} problem name
    read_global
    [[ ${global[logall]-} == yes ]] || fail 78 "$place: it does not say <logall>yes</logall> in its <global>; the health check and" \
        "the recovery after a crash read the archive"
    [[ ${global[jsonout_output]-} == yes ]] || say "$place: it does not say <jsonout_output>yes</jsonout_output> in its <global>," \
        "so no alert comes on standard output"
    [[ -z $local_rules && ${#rules[@]} == 0 ]] ||
        problem=$($lib/configuration/ossec-files lists "$made/ossec.conf" ${local_rules:+"$local_rules"} "${rules[@]}" 2>&1) ||
        fail 78 "$problem"
    mail_daemon=${global[email_notification]-}
    if [[ $mail_daemon == yes ]]; then
        for name in email_to email_from smtp_server; do
            [[ -n ${global[$name]-} ]] || fail 78 "$place: it says <email_notification>yes</email_notification>, which needs <$name>, too"
        done
        [[ -n $native || ${#fragments[@]} -gt 0 ]] || place=OSSEC_EMAIL_TO
        problem=$($lib/configuration/ossec-files recipients "$made/ossec.conf" 2>&1) || fail 78 "$place: $problem"
    fi
    # A program as <smtp_server> is the image's mail queue, which has its own settings.
    if [[ $mail_daemon == yes && ${global[smtp_server]-} == /* ]]; then
        [[ $email_notification == yes ]] || fail 78 "$place: it hands mail to the mail queue, which needs" \
            "OSSEC_EMAIL_NOTIFICATION=yes and where to send it (OSSEC_SMTP_SERVER)"
    else
        email_notification=no
    fi
}

# is_the_images_own: whether a server is to run with nothing in its configuration that a user has written. The engine, which
# starts next, says itself what it does not take, and reads all of its rules a second time otherwise.
is_the_images_own() {
    [[ -z $command && $mail_daemon != yes && -z $native$local_rules$local_decoders$options ]] &&
        ((${#fragments[@]} + ${#rules[@]} + ${#lists[@]} == 0))
}

check_engine() {
    check_agreement
    [[ $command != reconfigure ]] || use_configuration "$made"
    write_lists
    is_the_images_own || check_daemon ossec-analysisd
    [[ $mail_daemon != yes ]] || check_daemon ossec-maild
}

# note DAEMON FILE...: that it reads these, by their sums.
note() {
    local file
    reads[$1]=""
    for file in "${@:2}"; do
        reads[$1]+=${sum_of[$file]-none},
    done
}

# What each daemon reads at its start only, as checksums, by which a reload knows whom to start again.
note_what_is_read() {
    local sum file conf=("$made"/{ossec.conf,local_internal_options.conf})
    local engine=("${conf[@]}" "$made"/local_{rules,decoder}.xml "${rules[@]}" "$made"/lists/*)
    local intake=("$made"/{networks,peers,proxies,relays} "$tls_folder"/{tls.crt,tls.key,ca.crt})
    local target=("$forward_folder"/{tls.crt,tls.key,ca.crt}) queue=("$made"/nullmailer/* "$made/mailname" "$own_authority")
    local -A sum_of=()
    while read -r -d "" sum file; do
        sum_of[$file]=$sum
    done < <(sha256sum --zero "${engine[@]}" "${intake[@]}" "${target[@]}" "${queue[@]}" 2>/dev/null || true)
    note ossec-maild "${conf[@]}"
    note ossec-analysisd "${engine[@]}"
    note ossec-monitord "${engine[@]}" # as it has the engine's queue open
    note ossec-intake "${intake[@]}"
    note ossec-forward "${target[@]}"
    note nullmailer-send "${queue[@]}"
}

# From the variables and the user's files to what the daemons read; ends with 78 before any of them has started.
configure() {
    check_names
    find_files
    check_layers
    write_configuration
    check_engine
    check_intake # last, as it may warn of a certificate, and an error is to be the only line
    check_metrics
    note_what_is_read
}
