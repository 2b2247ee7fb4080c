# shellcheck shell=bash # sourced by ossec-log-server
# Checks of files that the user has mounted: a wrong one ends the container with 78 and a line that names it.

# is_text FILE: whether it holds no NUL, as every file of UTF-16 does.
is_text() {
    local all without
    all=$(wc -c < "$1") && without=$(tr -d '\0' < "$1" | wc -c) && ((all == without))
}

# there FILE: whether the user has mounted it. A dangling link counts, so that it is reported as an error.
there() { [[ -e $1 || -L $1 ]]; }

# can_be_read FILE USE
can_be_read() {
    [[ -e $1 || ! -L $1 ]] || fail 78 "$1: it is a link to '$(readlink "$1")', where there is nothing; mount that, too"
    [[ -e $1 ]] || fail 78 "$1: there is no such file, and $2 needs it; mount it there"
    [[ ! -d $1 ]] || fail 78 "$1: it is a folder; Docker makes one where the file that it was to mount does not exist"
    [[ -r $1 ]] || fail 78 "$1: it cannot be read by UID $(id -u), and $2 needs it; make it readable for it"
}

# pem FILE KIND USE: whether a mounted file is what its use needs, a CERTIFICATE or a PRIVATE KEY.
pem() {
    can_be_read "$1" "$3"
    is_text "$1" || fail 78 "$1: it is not text in PEM form; if it is DER, convert it with openssl x509 -inform DER"
    grep -qsE -- "-----BEGIN ([A-Z]+ )*$2-----" "$1" || fail 78 "$1: it holds no $2 in PEM form; mount one that does"
    case $2 in
        CERTIFICATE)
            openssl x509 -in "$1" -noout 2>/dev/null ||
                fail 78 "$1: its CERTIFICATE cannot be read by OpenSSL; see openssl x509 -in ${1##*/} -text"
            openssl x509 -in "$1" -noout -checkend 0 > /dev/null 2>&1 ||
                notice "$1: its certificate has expired; renew it"
            ;;
        "PRIVATE KEY")
            ! grep -qs "ENCRYPTED" "$1" ||
                fail 78 "$1: the key is encrypted, and nobody can type its password; write it without one:" \
                    "openssl pkey -in ${1##*/} -out plain.key"
            openssl pkey -in "$1" -passin pass: -noout 2>/dev/null ||
                fail 78 "$1: its PRIVATE KEY cannot be read by OpenSSL; see openssl pkey -in ${1##*/} -text"
            ;;
    esac
}

# pem_pair CERTIFICATE KEY USE
pem_pair() {
    local of_certificate of_key
    pem "$1" CERTIFICATE "$3"
    pem "$2" "PRIVATE KEY" "$3"
    of_certificate=$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null) || of_certificate=none
    of_key=$(openssl pkey -in "$2" -pubout 2>/dev/null) || of_key=no
    [[ $of_certificate == "$of_key" ]] || fail 78 "$2: it is not the key of $1; mount the two that belong together"
}
