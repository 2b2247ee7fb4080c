# shellcheck shell=bash disable=SC2034,SC2154 # sourced by ossec-log-server
# SIGHUP: a second set of settings and files takes the place of the one that runs, if it is right. A process of its own checks
# it and makes it, as the server would at its start; then only the daemons for which something has changed start again. The
# intake keeps its ports and connections, and what it receives waits in the journal while the engine is not running.

reloads=0             # how many there were
reloading=no
running_configuration=$run/configuration

reload_now() {
    reload_asked=yes
    [[ $reloading == no ]] || return 0
    reloading=yes
    while [[ $reload_asked == yes ]]; do
        reload_asked=no
        reload
    done
    reloading=no
}

# What came of it is one line in the log, and in the file that `ossec-log-server reload` waits for.
reload() {
    local next said status=0
    to_file "$run/reload" echo "running $((++reloads))"
    next=$run/configurations/$((reloads + 1))
    running_configuration=$(readlink "$run/configuration") || running_configuration=$made
    said=$(with_first_environment "$0" reconfigure "$next" "$running_configuration" 2>&1) || status=$?
    if ((status == 0)); then
        [[ -z $said ]] || echo "$said" >&2 || true
        apply "$next" || status=$?
    fi
    if ((status == 0)); then
        rm -rf "$running_configuration" || true
    else
        said=${said##*$'\n'}
        said="not reloaded, the old configuration stays in force: ${said#ossec-log-server: }"
        use_configuration "$running_configuration"
        rm -rf "$next" || true
    fi
    say "$said"
    to_file "$run/reload" echo "done $reloads $status $said"
}

# with_first_environment COMMAND...: in the environment that the server was started with, without what it has set since. None of
# it is in an argument, where other processes could see it.
with_first_environment() (
    local variable all=()
    trap - ERR EXIT
    set +e
    mapfile -d '' -t all < /proc/$$/environ
    for variable in "${!OSSEC_@}"; do
        unset "$variable"
    done
    for variable in "${all[@]}"; do
        [[ ! $variable =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || export "${variable?}"
    done
    exec "$@"
)

# reconfigure FOLDER RUNNING: in the process of its own. Makes a configuration in the folder, and says in FOLDER/state what the
# server needs to know of it.
reconfigure() {
    made=$1
    running_configuration=$2
    in_run "$made" mkdir -p "$made"/{nullmailer,lists}
    configure
    (umask 077 && to_file "$made/state" write_state) || exit $?
}

write_state() {
    local name
    for name in "${settings[@]}"; do
        name=${name#OSSEC_}
        declare_again "${name,,}" "${name,,}_way" "${name,,}_host" "${name,,}_port"
    done
    declare_again made mail_daemon metrics_address reads notify_urls notify_hosts notify_headers
}

# declare_again NAME...: as commands, what each is that is set.
declare_again() {
    local one said
    for one in "$@"; do
        said=$(declare -p "$one" 2>/dev/null) || continue
        echo "declare -g ${said#declare }"
    done
}

has_changed() { # NAME: whether it runs otherwise than it is to run now
    [[ ${was[$1]-} != "${command_of[$1]-} ${reads[$1]-}" ]]
}

# apply FOLDER: has the daemons go over to it. Sets $said to what came of it.
apply() {
    local -A was=()
    local name changed=() begun=()
    for name in "${wanted[@]}"; do
        was[$name]="${command_of[$name]} ${reads[$name]-}"
    done
    said=$(ossec-intake --reload 2>&1) || return 78
    # shellcheck source=/dev/null
    . "$1/state"
    want_daemons
    was[ossec-intake]="${command_of[ossec-intake]} ${reads[ossec-intake]-}" # which it has read
    for name in "${!was[@]}"; do
        ! has_changed "$name" || changed+=("$name")
    done
    for name in "${wanted[@]}"; do
        ! has_changed "$name" || begun+=("$name")
    done
    stop_changed "${changed[@]}"
    watch_what_is_on
    [[ " ${begun[*]} " != *" ossec-maild "* ]] || prepare_mail
    for name in "${begun[@]}"; do
        [[ $name == ossec-monitord ]] || start "$name"
    done
    if [[ " ${begun[*]} " == *" ossec-monitord "* ]]; then
        until_true 60 ready_or_broken || say "ossec-analysisd has not started again within 60 s; see its messages above"
        start ossec-monitord
    fi
    forget_notify_places
    said="reloaded; started again: ${begun[*]:-no daemon}"
}

# The engine at once, as what it does not get done waits in the journal.
stop_changed() { # NAME...
    local name id stop_began=$SECONDS
    for name in "$@"; do
        id=${pid[$name]-}
        [[ -n $id ]] || continue
        unset "daemon[$id]"
        case $name in
            ossec-analysisd) end "$name" 7 INT ;;
            nullmailer-send) end_mail_queue 7 ;;
            *) end "$name" 7 ;;
        esac
        wait "$id" 2>/dev/null || true
        unset "pid[$name]"
    done
}

# ask_for_reload: what `ossec-log-server reload` does, in another process: its status is the reload's.
ask_for_reload() {
    local id state="" number=0 status=0 said="" wanted deadline=$((SECONDS + 120))
    [[ -e $run/started ]] || fail 69 "reload: the server has not started yet; try again when it is ready"
    id=$(< "$run/pid") || fail 69 "reload: the server has ended"
    read -r state number _ 2>/dev/null < $run/reload || number=0
    wanted=$((number + 1))
    kill -HUP "$id" 2>/dev/null || fail 77 "reload: the server cannot be asked by UID $(id -u); run this as its own user"
    until [[ $state == "done" ]] && ((number >= wanted)); do
        ((SECONDS < deadline)) || fail 69 "reload: no answer within 2 minutes; the log says what it does"
        sleep 0.05 || true
        read -r state number status said 2>/dev/null < $run/reload || true
    done
    ((status == 0)) || fail "$status" "$said"
    say "$said"
    exit 0
}
