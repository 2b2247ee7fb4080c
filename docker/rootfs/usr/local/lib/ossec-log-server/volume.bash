# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server first of all
# The data volume, and what the daemons expect to find on it and in /run.

layout=1 # of the volume: a release whose volume the ones before can't use gives it a higher number

# The volume's name, where Docker or Podman has one.
volume_name() {
    local name
    name=$(sed -nE "s|^\S+ \S+ \S+ \S*/volumes/([^/ ]+)/_data $data .*|\1|p" /proc/self/mountinfo)
    echo "${name:-VOLUME}"
}

# not_writable PATH: what the server can't use the volume without.
not_writable() {
    local whom=""
    if grep -qE "^\S+ \S+ \S+ \S+ $data ro\b" /proc/self/mountinfo; then
        fail 73 "$data cannot be written by UID $(id -u), as it is mounted read-only"
    fi
    (($(id -g) == 0)) || whom=" $(id -u):$(id -g)"
    fail 73 "$1 cannot be written by UID $(id -u), group $(id -g) (it belongs to $(stat -c 'UID %u, group %g, mode %a' "$1"));" \
        "run this once, with this image's name: docker run --rm --user 0 -v $(volume_name):$data IMAGE upgrade$whom"
}

check_writable() { # PATH... [TEST_OF_FIND...]
    local path
    path=$(find "$@" ! -type l ! -writable -print -quit 2>/dev/null)
    [[ -z $path ]] || not_writable "$path"
}

check_layout() {
    local found=""
    [[ ! -e $data/.layout ]] || found=$(< "$data/.layout")
    [[ ${found:=0} =~ ^[0-9]{1,4}$ ]] || fail 78 "$data/.layout is '$found', which is the number of no layout"
    ((10#$found <= layout)) || fail 78 "$data has layout $found, and this release knows none above $layout;" \
        "start the release that made it, or a later one"
}

# give_volume UID:GID TEST_OF_FIND...: with the rights of root, all for which that is true becomes that user's, and the
# group may do with it what the user may.
give_volume() {
    find "$data" \( "${@:2}" \) ! -type l -exec chmod g=u {} +
    find "$data" \( "${@:2}" \) -exec chown --no-dereference "$1" {} +
}

prepare_volume() {
    local folder unmade=""
    check_layout
    check_writable "$data" -maxdepth 0
    umask 0002 # for another UID of the same group
    for folder in logs/{alerts,archives,firewall} stats \
        queue/{fts,diff,syscheck,rootcheck,agent-info,agentless,rids,journal,output,forward,mail/{queue,tmp,failed}}; do
        mkdir -p "$data/$folder" 2>/dev/null || unmade=$data/$folder
    done
    : 2>/dev/null >> "$data/logs/ossec.log" || unmade=$data/logs/ossec.log
    if to_upgrade; then
        check_writable "$data"/{etc,rules,logs,stats,queue}
        upgrade_volume
    fi
    check_writable "$data"/{logs,stats,queue}
    [[ -z $unmade ]] || fail 73 "$unmade cannot be made; is the disk full? $(df -h --output=avail "$data" | tail -n 1) are free"
    [[ -s $data/.layout ]] || echo $layout > "$data/.layout"
    [[ -p $data/queue/mail/trigger ]] || mkfifo -m 0660 "$data/queue/mail/trigger"
    umask 0022
}

prepare_run() {
    rm -rf "${run:?}"
    mkdir -p $run/{queue,alerts,shared,nullmailer}
    touch $run/queue/queue # the engine removes it before it makes it
}

# forget_oldest FILE LINES: What the engine has seen for the first time, or is to ignore, it keeps for ever, in memory
# too, and looks through: one sender of many user names could otherwise keep it from ever starting again.
forget_oldest() {
    [[ -f $1 ]] && (($(wc -l < "$1") > $2)) || return 0
    tail -n "$2" "$1" > "$1.new"
    mv -f "$1.new" "$1"
}

prepare_folders() {
    local month
    prepare_volume
    prepare_run
    forget_oldest "$data/queue/fts/fts-queue" 100000
    forget_oldest "$data/queue/fts/ig-queue" 1000
    ln -s "$data/queue/fts" $run/fts
    # The engine removes these before it makes them, and calls it an error where there is nothing to remove.
    touch "$data/logs/alerts/alerts.json" "$data/logs/archives/archives.log" "$data/logs/firewall/firewall.log"
    # ossec-maild looks for the day's file before the first alert has made it.
    month=$alerts/$(date +%Y/%b)
    mkdir -p "$month"
    : >> "$month/ossec-alerts-$(date +%d).log"
    ln -f "$month/ossec-alerts-$(date +%d).log" $alerts/alerts.log
}
