# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server, after settings.bash
# The data volume, and what the daemons expect to find on it and in /run.

prepare_run() {
    rm -rf "${run:?}"
    mkdir -p $run/{queue,alerts,shared,nullmailer}
    touch $run/queue/queue # the engine removes it before it makes it
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
    prepare_run
    ln -s "$data/queue/fts" $run/fts
    # The engine removes these before it makes them, and calls it an error where there is nothing to remove.
    touch "$data/logs/alerts/alerts.json" "$data/logs/archives/archives.log" "$data/logs/firewall/firewall.log"
    # ossec-maild looks for the day's file before the first alert has made it.
    month=$alerts/$(date +%Y/%b)
    mkdir -p "$month"
    : >> "$month/ossec-alerts-$(date +%d).log"
    ln -f "$month/ossec-alerts-$(date +%d).log" $alerts/alerts.log
    : >> "$data/logs/ossec.log"
    [[ -p $data/queue/mail/trigger ]] || mkfifo -m 0600 "$data/queue/mail/trigger"
}
