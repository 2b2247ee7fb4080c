/* What TLS needs before anybody connects: files read into a context of OpenSSL's. */
#define _GNU_SOURCE
#include "tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t seconds_since_1970(const ASN1_TIME *time)
{
    struct tm parts;

    return time != NULL && ASN1_TIME_to_tm(time, &parts) == 1 && timegm(&parts) > 0 ? (uint64_t)timegm(&parts) : 0;
}

static const char *problem(const char *format, const char *file)
{
    static char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof(text), format, file, file);
#pragma GCC diagnostic pop
    return text;
}

/* An encrypted key is not asked about on a terminal. */
static int no_password(char *to, int size, int writing, void *unused)
{
    (void)to, (void)size, (void)writing;
    *(int *)unused = 1;
    return -1;
}

static const char *unreadable(const char *file)
{
    char text[160];
    FILE *there = fopen(file, "re");
    struct stat link;

    if (there != NULL) {
        fclose(there);
        return NULL;
    }
    if (errno == ENOENT && lstat(file, &link) == 0) {
        return problem("%s: is a link to a file that is not there; mount that one, too", file);
    }
    if (errno == ENOENT) {
        return problem("%s: is not there; TLS needs it, so mount it", file);
    }
    snprintf(text, sizeof(text), "%%s: cannot be read by UID %u (%s); TLS needs it: chgrp %u, and chmod 0640", (unsigned)getuid(),
             strerror(errno), (unsigned)getgid());
    return problem(text, file);
}

/* What OpenSSL said last, of its own or of its authority's. */
static int is_weak(void)
{
    unsigned long error = ERR_peek_last_error();
    int reason = ERR_GET_REASON(error);

    return ERR_GET_LIB(error) == ERR_LIB_SSL && (reason == SSL_R_EE_KEY_TOO_SMALL || reason == SSL_R_CA_KEY_TOO_SMALL ||
                                                 reason == SSL_R_CA_MD_TOO_WEAK);
}

static const char *read_certificate(struct tls_context *made, const char *file)
{
    const char *wrong = unreadable(file);

    if (wrong != NULL) {
        return wrong;
    }
    if (SSL_CTX_use_certificate_chain_file(made->ssl, file) != 1) {
        if (is_weak()) {
            return problem("%s: its key or signature is too weak for OpenSSL; make one with RSA of 2048 bits or P-256, and SHA-256", file);
        }
        return problem("%s: holds no CERTIFICATE in PEM form that OpenSSL takes; mount one", file);
    }
    made->certificate_begin = seconds_since_1970(X509_get0_notBefore(SSL_CTX_get0_certificate(made->ssl)));
    made->certificate_end = seconds_since_1970(X509_get0_notAfter(SSL_CTX_get0_certificate(made->ssl)));
    return NULL;
}

static const char *read_key(SSL_CTX *context, const char *file, const char *certificate)
{
    const char *wrong = unreadable(file);
    int encrypted = 0;

    if (wrong != NULL) {
        return wrong;
    }
    SSL_CTX_set_default_passwd_cb(context, no_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, &encrypted);
    if (SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) != 1) {
        if (encrypted) {
            return problem("%s: is encrypted; write it without a password: openssl pkey -in %s -out tls.key", file);
        }
        if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH) {
            char text[300];

            snprintf(text, sizeof(text), "%%s: is not the key of the certificate in %.200s; mount the two that belong together", certificate);
            return problem(text, file);
        }
        return problem("%s: holds no PRIVATE KEY in PEM form that OpenSSL takes; mount one", file);
    }
    return NULL;
}

static const char *read_authority(struct tls_context *made, const char *file)
{
    const char *wrong = unreadable(file);
    STACK_OF(X509_NAME) *names;
    STACK_OF(X509_OBJECT) *objects;

    if (wrong != NULL) {
        return wrong;
    }
    if (SSL_CTX_load_verify_locations(made->ssl, file, NULL) != 1 || (names = SSL_load_client_CA_file(file)) == NULL) {
        return problem("%s: holds no CERTIFICATE in PEM form that OpenSSL takes; mount one", file);
    }
    SSL_CTX_set_client_CA_list(made->ssl, names);
    objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(made->ssl));
    for (int n = 0; n < sk_X509_OBJECT_num(objects); n++) {
        X509 *one = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, n));

        if (one != NULL && made->authority_end == 0) {
            made->authority_end = seconds_since_1970(X509_get0_notAfter(one));
        }
    }
    return NULL;
}

/* Its names one by one, as OpenSSL leaves out those it does not know without a word. Those of TLS 1.3, TLS_..., are a list
 * of their own; where only one of the two lists is given, OpenSSL's own choice holds for the other. */
static const char *choose_ciphers(SSL_CTX *context, const char *wanted)
{
    char rest[CIPHERS_MAX], before_1_3[CIPHERS_MAX] = "", since_1_3[CIPHERS_MAX] = "", *at = rest, *name;

    snprintf(rest, sizeof(rest), "%s", wanted);
    while ((name = strsep(&at, ":")) != NULL) {
        int is_new = strncasecmp(name, "TLS_", 4) == 0;
        char *list = is_new ? since_1_3 : before_1_3;
        size_t length = strlen(list);
        int known = is_new ? SSL_CTX_set_ciphersuites(context, name) == 1
                           : strchr("!-+@", name[0]) != NULL || SSL_CTX_set_cipher_list(context, name) == 1;

        if (name[0] == '\0' || !known) {
            return problem("OSSEC_TLS_CIPHERS: '%s' is not a cipher or a group of ciphers; write what 'openssl ciphers -v' lists", name);
        }
        snprintf(list + length, CIPHERS_MAX - length, "%s%s", length ? ":" : "", name);
    }
    if ((since_1_3[0] != '\0' && SSL_CTX_set_ciphersuites(context, since_1_3) != 1) ||
        (before_1_3[0] != '\0' && SSL_CTX_set_cipher_list(context, before_1_3) != 1)) {
        return "OSSEC_TLS_CIPHERS: it leaves no cipher; write what 'openssl ciphers -v' lists";
    }
    return NULL;
}

const char *tls_context_make(struct tls_context *made, const struct tls_files *files)
{
    const char *wrong;

    *made = (struct tls_context){.ssl = SSL_CTX_new(TLS_server_method())};
    if (made->ssl == NULL) {
        return "OpenSSL can't be used here";
    }
    SSL_CTX_set_min_proto_version(made->ssl, files->only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    /* No session is taken up again: a client is looked at each time, by what is in force then. */
    SSL_CTX_set_options(made->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                       SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(made->ssl, 0); /* one that a client leaves unread makes its kernel reset what it sent last */
    SSL_CTX_set_session_cache_mode(made->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(made->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    wrong = read_certificate(made, files->certificate);
    wrong = wrong != NULL ? wrong : read_key(made->ssl, files->key, files->certificate);
    wrong = wrong != NULL || files->authority == NULL ? wrong : read_authority(made, files->authority);
    wrong = wrong != NULL || files->ciphers == NULL ? wrong : choose_ciphers(made->ssl, files->ciphers);
    if (wrong != NULL) {
        SSL_CTX_free(made->ssl);
        made->ssl = NULL;
    }
    ERR_clear_error();
    return wrong;
}
