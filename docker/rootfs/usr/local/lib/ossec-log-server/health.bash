# shellcheck shell=bash disable=SC2154 # sourced by the server
# Tells `health` (docker/command/health.c) what to look at besides ossec-intake and the engine, as it reads no settings.

watched=$run/health

# watch NAME [WORDS...]: from now on health looks at it.
watch() {
    to_file "$watched/$1" echo "${@:2}"
}

watch_what_is_on() {
    local entry
    rm -f "$watched"/{output,forward,mail,metrics} || true
    [[ $alerts_stdout == no ]] || watch output
    [[ -z $forward ]] || watch forward
    for entry in "${notify_urls[@]}"; do
        watch "notify-$(place_of "${entry#*+}")"
    done
    [[ $email_notification == no ]] || watch mail
    [[ -z $metrics_port ]] || watch metrics "$metrics_port" "${metrics_address[*]}"
}
