# shellcheck shell=bash disable=SC2154 # sourced by ossec-log-server, after configure.bash
# From the volume of kalaksi/ossec-log-server to one of ours. That image kept all of OSSEC's etc and rules on the volume.
# Both folders are set aside as they are, in a folder of the volume, and what is local in them is copied to where this
# image reads it; everything else comes from the image.

# A line for each file that OSSEC shipped: its name, and the sums of what was in it (pipeline/upkeep/stock_files.py).
stock_files=$lib/volume/stock-files

# An upgrade that was interrupted left .upgrade, which says what its folder is called.
to_upgrade() {
    [[ ! -s $data/.layout ]] && [[ -d $data/rules || -s $data/.upgrade || -e $data/etc/ossec.conf || -e $data/etc/decoder.xml ]]
}

is_stock() { # NAME
    local sum
    sum=$(sha256sum < "$data/$aside/$1") || fail 73 "$data/$aside/$1: cannot be read; check the disk that the volume is on"
    grep -q "^$1 .*${sum:0:16}" "$stock_files"
}

# engine_takes: whether the engine takes the rules and decoders as they are now; if not, $problem says why.
engine_takes() {
    problem=$(engine_alone 2>&1) && return 0
    problem=${problem##*$'\n'}
    problem=${problem#ossec-log-server: }
    return 1
}

engine_alone() {
    prepare_run
    in_run $run/fts mkdir -p $run/fts
    find_files
    check_layers
    write_configuration
    check_engine
}

# What became of each file, printed at the end. What the user must look at comes last.
lines_kept=() lines_replaced=() lines_unused=() lines_changed=()

# keep NAME FILE WORDS...: it is used, as that file of etc.
keep() {
    make_folders "$(dirname "$data/etc/$2")"
    on_volume "$data/etc/$2" cp --no-preserve=mode "$data/$aside/$1" "$data/etc/$2"
    lines_kept+=("$1, as etc/$2${3:+; ${*:3}}")
}

unused() { lines_unused+=("$1; ${*:2}"); }   # NAME WORDS...
changed() { lines_changed+=("$1; ${*:2}"); } # NAME WORDS...

tell() { # WHAT LINE...
    local line
    for line in "${@:2}"; do
        say "$1: $line"
    done
}

# keep_if_taken NAME FILE WORDS...: if the engine accepts it together with what is kept already. If it does not accept even
# that, the file is kept, and the server will report the error.
keep_if_taken() {
    local problem judges=no
    ! engine_takes || judges=yes
    keep "$@"
    [[ $judges == yes ]] && ! engine_takes || return 0
    on_volume "$data/etc/$2" rm "$data/etc/$2"
    unset "lines_kept[-1]"
    changed "$1" "the engine does not take it as it is ($problem)"
}

judge() { # NAME, such as etc/ossec.conf
    local old=$data/$aside/$1
    if [[ -L $old || ! -f $old ]]; then
        unused "$1" "it is not a plain file"
    elif is_stock "$1"; then
        lines_replaced+=("$1, which is as OSSEC shipped it; the image has its own")
    elif [[ ! -s $old ]]; then
        unused "$1" "it is empty"
    else
        case $1 in
            rules/local_rules.xml | etc/local_decoder.xml | etc/local_internal_options.conf) keep "$1" "${1#*/}" ;;
            etc/lists/*.cdb) unused "$1" "lists are compiled at each start" ;;
            etc/lists/*) keep_if_taken "$1" "${1#etc/}" ;;
            etc/ossec.conf)
                unused "$1" "that image wrote it anew at each start, from the variables; so does this one. One of your own" \
                    "is mounted as /etc/ossec-log-server/ossec.conf"
                ;;
            etc/decoder.xml) changed "$1" "write what you changed in it into etc/local_decoder.xml" ;;
            etc/internal_options.conf) changed "$1" "write what you changed in it into etc/local_internal_options.conf" ;;
            rules/*.xml)
                if grep -q "^$1 " "$stock_files"; then
                    keep_if_taken "$1" "$1" "in place of the image's own, which may be newer. Better write what you changed in" \
                        "it into etc/local_rules.xml, with overwrite=\"yes\", and remove this file"
                else
                    changed "$1" "the old image did not read it, either; to use it, put it into etc/rules"
                fi
                ;;
            *) unused "$1" "this image does not use it" ;;
        esac
    fi
}

# The files of today are hard links to the day's files, which OSSEC removes and makes again. A copy of the volume turns them
# into files of their own: those are set aside first.
set_aside_todays() {
    local name
    for name in logs/{alerts/alerts.{log,json},archives/archives.log,firewall/firewall.log}; do
        [[ -s $data/$name && $(stat -c %h "$data/$name") == 1 ]] || continue
        make_folders "$(dirname "$data/$aside/$name")"
        on_volume "$data/$aside/$name" mv "$data/$name" "$data/$aside/$name"
        unused "$name" "it was not a hard link to the day's file"
    done
}

old_files() { find . -mindepth 2 -path './[er]*' ! -type d "$@" -printf '%P\n' | sort; } # TEST_OF_FIND...

upgrade_volume() {
    local aside folder name listing
    local -a names
    [[ -s $data/.upgrade ]] ||
        on_volume "$data/.upgrade" write_to "$data/.upgrade" echo "replaced-$(date +%Y-%m-%d-%H%M%S)"
    aside=$(cat "$data/.upgrade") || not_writable "$data/.upgrade"
    make_folders "$data/$aside"
    for folder in etc rules; do
        [[ ! -d $data/$folder || -e $data/$aside/$folder ]] || on_volume "$data/$aside/$folder" mv "$data/$folder" "$data/$aside/"
    done
    set_aside_todays
    # The local files first: the others are judged together with them.
    listing=$(cd "$data/$aside" && old_files -name 'local_*' && old_files ! -name 'local_*') ||
        fail 73 "$data/$aside: cannot be searched; check the disk that the volume is on"
    mapfile -t names <<< "$listing" || true
    for name in "${names[@]}"; do
        [[ -z $name ]] || judge "$name"
    done
    tell "replaced" "${lines_replaced[@]}"
    tell "set aside, not used" "${lines_unused[@]}"
    tell "kept" {logs,stats,queue}", with all that is in it" "${lines_kept[@]}"
    tell "set aside, AND YOU HAD CHANGED IT" "${lines_changed[@]}"
    say "the volume is upgraded; nothing was deleted: what is replaced or set aside is in $data/$aside"
    on_volume "$data/.layout" write_to "$data/.layout" echo $layout
    on_volume "$data/.upgrade" rm "$data/.upgrade"
}

upgrade() {
    local problem
    ! server_runs || fail 64 "upgrade: a server runs in this container; stop it, and upgrade its volume in a container of its own"
    prepare_volume
    engine_takes || fail 78 "$data: the volume is upgraded, but a server will not start on it: $problem"
    say "the volume has layout $layout, the one of this release"
}
