# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server, after messages.bash
# The data volume, and the files that the daemons expect on it and in /run.

layout=1    # of the volume: raised by a release whose volume earlier ones cannot use
volume=$data # also where a check has its own folder as $data
lock_file=$volume/.lock
least_room=$((1 << 20))    # bytes, for the files that every start makes
small_volume=$((64 << 20)) # bytes; below that the day's logs soon fill it

# mounts FORMAT...: a line for each mount of the container, its columns those of findmnt.
mounts() { findmnt --raw --noheadings --output "$1" 2>/dev/null || true; }

# mount_of PATH COLUMN: that column of the mount that the path lies on.
mount_of() { findmnt --raw --noheadings --output "$2" --target "$1" 2>/dev/null || true; }

# volume_name ROOT: the volume's name, where Docker or Podman has one.
volume_name() {
    [[ $1 =~ /volumes/([^/]+)/_data$ ]] && echo "${BASH_REMATCH[1]}" || echo VOLUME_OR_FOLDER
}

# Docker's options for the data volume and for each that is mounted below it.
volume_options() {
    local point root options=""
    while read -r point root; do
        [[ $point/ != "$data"/* ]] || options+=" -v $(volume_name "$root"):$point"
    done < <(mounts TARGET,FSROOT)
    echo "${options:- -v VOLUME_OR_FOLDER:$data}"
}

# not_writable PATH: ends the container with the reason and the command that helps.
not_writable() {
    local whom="" owner point
    owner=$(stat -c 'UID %u, group %g, mode %a' "$1" 2>/dev/null) || owner="a user that cannot be seen"
    point=$(mount_of "$1" TARGET)
    if [[ ,$(mount_of "$1" OPTIONS), == *,ro,* ]]; then
        fail 73 "$point: cannot be written by UID $(id -u), as it is mounted read-only; mount it without 'ro'"
    elif [[ -n ${KUBERNETES_SERVICE_HOST-} ]]; then
        fail 73 "$1: cannot be used by UID $(id -u), group $(id -g) (it belongs to $owner);" \
            "set the pod's securityContext.fsGroup to one of the container's groups, such as 10514"
    fi
    (($(id -g) == 0)) || whom=" $(id -u):$(id -g)"
    fail 73 "$1: cannot be written by UID $(id -u), group $(id -g) (it belongs to $owner);" \
        "run this once, with this image's name: docker run --rm --user 0$(volume_options) IMAGE upgrade$whom"
}

# volume_trouble PATH REASON: ends the container with what helps against the reason, which a tool gave.
volume_trouble() {
    local inodes free
    read -r inodes free < <(df --output=iavail,avail -B 1 "$data" 2>/dev/null | tail -n 1) || true
    case $2 in
        "No space left on device" | "Disk quota exceeded")
            [[ ${inodes:-1} != 0 ]] ||
                fail 73 "$1: cannot be made, as the volume has no inodes left; delete files on it, or give it a file system with more"
            fail 73 "$1: cannot be made, as the volume is full ($(numfmt --to=iec "${free:-0}") are free);" \
                "make room on it, or give it a larger disk"
            ;;
        "Permission denied" | "Operation not permitted" | "Read-only file system") not_writable "$(existing "$1")" ;;
        "Not a directory" | "File exists")
            fail 73 "$1: cannot be made, as another file is in its place; rename that file or mount another volume"
            ;;
        "Invalid cross-device link")
            fail 73 "$1: cannot be made, as a volume is mounted below ${1%/*}; mount one on $data alone, or on $data/logs"
            ;;
        *) fail 74 "$1: cannot be made ($2); check the disk that the volume is on" ;;
    esac
}

# existing PATH: the path, or the nearest folder above it that is there.
existing() {
    local path=$1
    until [[ -e $path || $path == / ]]; do
        path=$(dirname "$path")
    done
    echo "$path"
}

# on_volume PATH COMMAND...: runs a command that makes or changes PATH on the volume.
on_volume() {
    local problem status
    attempt "${@:2}"
    ((status == 0)) || volume_trouble "$1" "$(reason_of "$problem")"
}

make_empty() { # FILE...: where it is not there
    local file
    for file in "$@"; do
        # Opened by the shell itself, and by a process only for the message. To open a FIFO would wait.
        [[ -e $file ]] || { : >> "$file"; } 2>/dev/null || true
        [[ -f $file ]] || on_volume "$file" touch "$file"
    done
}

make_folders() { # FOLDER...
    local folder missing=()
    for folder in "$@"; do
        [[ -d $folder ]] || missing+=("$folder")
    done
    ((${#missing[@]} > 0)) || return 0
    # One by one only where that fails, for the message.
    mkdir -p "${missing[@]}" 2>/dev/null || for folder in "${missing[@]}"; do
        on_volume "$folder" mkdir -p "$folder"
    done
}

# can_use PATH: whether this user can use that file or folder. A folder must also be searchable.
can_use() { [[ -r $1 && -w $1 && (! -d $1 || -x $1) ]]; }

# check_usable PATH... [OPTION_OF_FIND...]: whether this user can use all files and folders there, but for mkfs's lost+found.
check_usable() {
    local path
    path=$(find "$@" -name lost+found -prune -o ! -type l \
        \( ! -writable -o ! -readable -o -type d ! -executable \) -print -quit 2>/dev/null) || true
    [[ -z $path ]] || not_writable "$path"
}

check_layout() {
    local found=""
    [[ ! -e $data/.layout ]] || found=$(tr -d '\0' < "$data/.layout" 2>/dev/null) || not_writable "$data/.layout"
    [[ ${found:=0} =~ ^[0-9]{1,4}$ ]] ||
        fail 78 "$data/.layout: '${found:0:40}' is not the number of a layout; write $layout into it"
    ((10#$found <= layout)) || fail 78 "$data: it has layout $found, and the newest that this release knows is $layout;" \
        "start the release that made it, or a later one"
}

# give_volume UID:GID TEST_OF_FIND...: as root, gives that user the files for which the test is true, readable and writable
# for user and group.
give_volume() {
    find "$data" \( "${@:2}" \) -exec chown --no-dereference "$1" {} +
    find "$data" \( "${@:2}" \) ! -type l -exec chmod u+rwX,g=u {} +
}

# take_lock: of what descriptor 9 is open on. Sets $status to 0, to 75 where another has it, or to another number with the reason in $said.
take_lock() {
    status=0
    said=$(flock --nonblock --conflict-exit-code 75 9 2>&1) || status=$?
}

# One server a volume, told by a lock that goes with the processes that hold it: on the folder itself, so that nothing is written
# to somebody else's volume, and where a file system locks only files that may be written (NFS), on a file of ours. Descriptor
# 9 stays open for the life of the server; where root has taken the lock for the user that the server becomes, it is there already.
lock_volume() {
    local said status holder
    [[ -d $data ]] || fail 73 "$data: is not a folder; mount a volume there: -v ossec:$data"
    can_use "$data" || not_writable "$data"
    [[ ! /proc/self/fd/9 -ef $data && ! /proc/self/fd/9 -ef $lock_file ]] || return 0
    { exec 9< "$data"; } 2>/dev/null || not_writable "$data"
    take_lock
    if ((status != 0 && status != 75)); then
        (umask 0002 && make_empty "$lock_file")
        can_use "$lock_file" || not_writable "$lock_file"
        { exec 9<> "$lock_file"; } 2>/dev/null || not_writable "$lock_file"
        take_lock
    fi
    if ((status == 75)); then
        read -r holder 2>/dev/null < "$lock_file" || holder="another container"
        fail 75 "$data: the volume $(volume_name "$(mount_of "$data" FSROOT)") is in use by a server in $holder;" \
            "stop that one first, or give this one a volume of its own"
    elif ((status != 0)); then
        say "$data: its file system takes no lock ($(reason_of "$said")); make sure that no second server uses this volume"
    fi
}

# For the message of a second server. A full disk is reported elsewhere.
tell_holder() {
    local host
    { read -r host < /proc/sys/kernel/hostname && echo "container $host" > "$lock_file"; } 2>/dev/null || true
}

# OSSEC makes hard links to the day's files.
check_file_system() {
    local probe=$data/logs/.probe said
    [[ ! -e $probe && ! -e $probe.link ]] || rm -f "$probe" "$probe.link" 2>/dev/null || true
    make_empty "$probe"
    said=$(ln "$probe" "$probe.link" 2>&1) || case $(reason_of "$said") in
        "No space left on device") ;;
        *) fail 73 "$data/logs: its file system ($(mount_of "$data/logs" FSTYPE)) has no hard links, which OSSEC needs" \
            "($(reason_of "$said")); put the volume on ext4, XFS, Btrfs or NFS" ;;
    esac
    rm -f "$probe" "$probe.link" 2>/dev/null || true
}

# Sets $size to the bytes of the volume, and $free to those of them that are free.
measure_room() {
    local block
    read -r block size free < <(stat -f -c '%S %b %a' "$data" 2>/dev/null) || return 1
    size=$((size * block)) free=$((free * block))
}

nearly_full=$((8 << 20)) # bytes, for `health` (docker/command/health.c), too; at 4 MiB ossec-intake takes nothing more

# Too little room ends the container, unless the oldest days may be deleted. A small or nearly full volume gets a warning
# only: it may be enough, and it can be tidied while the server runs.
check_room_to_start() {
    local size free
    measure_room || return 0
    if ((free < nearly_full && retention_bytes > 0)); then
        $lib/volume/housekeeping "$retention_days" "$retention_bytes" once >&2 || true
        measure_room || return 0
    fi
    ((free >= least_room)) || fail 73 "$data: the volume is full ($(numfmt --to=iec "$free") are free); make room on it, or set" \
        "OSSEC_RETENTION_BYTES, with which the oldest days are deleted"
    ((free >= nearly_full)) || say "$data: the volume is nearly full ($(numfmt --to=iec "$free") are free), and nothing is received" \
        "when less than 4M are; make room on it"
    ((size >= small_volume)) || say "$data: the volume has $(numfmt --to=iec "$size") in all, which the logs of a day may fill;" \
        "give it $(numfmt --to=iec $small_volume) or more"
}

prepare_volume() {
    lock_volume
    check_layout
    umask 0002 # for another UID of the same group
    if to_upgrade; then
        check_usable "$data"/*
        upgrade_volume
    fi
    make_folders "$data"/{logs/{alerts,archives,firewall},stats} \
        "$data"/queue/{fts,diff,syscheck,rootcheck,agent-info,agentless,rids,journal,output,forward,notify,senders,mail/{queue,tmp,failed}}
    make_empty "$data/logs/ossec.log"
    check_usable "$data"/{logs,stats,queue}
    check_room_to_start
    check_file_system
    tell_holder
    [[ -s $data/.layout ]] || on_volume "$data/.layout" write_to "$data/.layout" echo $layout
    umask 0022
}

# Where a file belongs that was mounted at one of OSSEC's own places.
right_place() { # PATH
    case $1 in
        */logs | */queue | */stats | */data/* | */logs/*) echo "mount a volume on $volume" ;;
        */rules | */lists) echo "mount a folder of your own files as /etc/ossec-log-server/${1##*/}" ;;
        */ossec.conf | */local_rules.xml | */local_decoder.xml | */local_internal_options.conf)
            echo "mount it as /etc/ossec-log-server/${1##*/}"
            ;;
        */rules/*) echo "mount it as /etc/ossec-log-server/rules/${1##*/}" ;;
        */lists/*) echo "mount it as /etc/ossec-log-server/lists/${1##*/}" ;;
        *) echo "mount your own files one by one, or as a folder, in /etc/ossec-log-server" ;;
    esac
}

# A volume for a folder of the data volume, such as one at /var/ossec/logs, which is a link into it, is out of sight where the
# engine mounts the data volume later: what is written goes elsewhere than the user thinks.
tell_hidden_mounts() { # LINE_OF_A_MOUNT...
    local id parent point of_data=""
    local -A place=() below=()
    while read -r id parent point; do
        place[$id]=$point
        case $point in
            "$volume") of_data=$id ;;
            "$volume"/*) below[$id]=$parent ;;
        esac
    done < <((($# == 0)) || printf '%s\n' "$@")
    [[ -n $of_data ]] || return 0
    for id in "${!below[@]}"; do
        parent=${below[$id]}
        [[ $parent == "$of_data" || ${place[$parent]-} == "$volume"/* ]] ||
            say "${place[$id]}: nothing is written to what is mounted there, as the volume on $volume was mounted over it;" \
                "mount one volume, on $volume"
    done
}

# A mount at one of OSSEC's own places would hide files of the image, or lie where the server writes.
check_mounts() {
    local point all
    mapfile -t all < <(mounts ID,PARENT,TARGET) || true
    for point in "${all[@]##* }"; do
        case $point in
            "$volume" | "$volume"/*) ;;
            "$run" | "$run"/* | /var/ossec | /var/ossec/*)
                fail 78 "$point: a file or folder is mounted over the image's own; $(right_place "$point")"
                ;;
        esac
    done
    tell_hidden_mounts "${all[@]}"
}

prepare_run() {
    check_mounts
    local remedy="give the container a tmpfs that everybody may write: --tmpfs /run:mode=1777"
    [[ ! -e $run && ! -L $run ]] || must 73 "$run: cannot be emptied" "$remedy" rm -rf "${run:?}"
    must 73 "$run: cannot be made" "$remedy" \
        mkdir -p $run/{queue,alerts,shared,tmp,spool,health} "$made"/{nullmailer,lists}
    must 73 "$run: cannot be filled" "$remedy" ln -s "$made" $run/configuration
    must 73 "$run: cannot be filled" "$remedy" ln -s "${configuration_files[@]/#/configuration/}" $run/
    must 73 "$run: cannot be filled" "$remedy" ln -s "$data"/queue/mail/{queue,tmp,failed} $run/spool/
    # Only the mail queue needs a FIFO.
    mkfifo -m 0660 $run/spool/trigger 2>/dev/null || [[ ${email_notification-no} == no ]] ||
        fail 73 "$run: no FIFO can be made there, and mail needs one; $remedy"
    to_file $run/queue/queue : # the engine removes it before it makes it
}

# keep_newest FILE LINES
keep_newest() {
    tail -n "$2" "$1" > "$1.new" && mv -f "$1.new" "$1"
}

# forget_oldest FILE LINES: the engine never forgets what it has seen for the first time, and reads all of it at its start:
# one sender of many user names could keep it from starting again.
forget_oldest() {
    local lines
    [[ -f $1 ]] || return 0
    lines=$(wc -l < "$1") || return 0
    ((lines <= $2)) || on_volume "$1.new" keep_newest "$1" "$2"
}

prepare_folders() {
    local today
    prepare_volume
    prepare_run
    forget_oldest "$data/queue/fts/fts-queue" 100000
    forget_oldest "$data/queue/fts/ig-queue" 1000
    in_run $run/fts ln -s "$data/queue/fts" $run/fts
    # The engine removes these before it makes them, and logs an error if they are missing.
    make_empty "$data"/logs/{alerts/alerts.json,archives/archives.log,firewall/firewall.log}
    # ossec-maild looks for the day's file before the first alert has made it.
    printf -v today '%s/%(%Y/%b/ossec-alerts-%d)T.log' "$data/logs/alerts" -1
    make_folders "${today%/*}"
    make_empty "$today"
    on_volume "$data/logs/alerts/alerts.log" ln -f "$today" "$data/logs/alerts/alerts.log"
}
