#define _GNU_SOURCE
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "say.h"

#define SOON_S (14 * 86400)

static SSL_CTX *context;
static ASN1_TIME *certificate_end, *authority_end;

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

static const char *read_certificate(const char *file)
{
    const char *wrong = unreadable(file);

    if (wrong != NULL) {
        return wrong;
    }
    if (SSL_CTX_use_certificate_chain_file(context, file) != 1) {
        return problem("%s: holds no CERTIFICATE in PEM form that OpenSSL takes; mount one", file);
    }
    certificate_end = ASN1_STRING_dup(X509_get0_notAfter(SSL_CTX_get0_certificate(context)));
    return NULL;
}

static const char *read_key(const char *file, const char *certificate)
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

static const char *read_authority(const char *file)
{
    const char *wrong = unreadable(file);
    STACK_OF(X509_NAME) *names;
    STACK_OF(X509_OBJECT) *objects;

    if (wrong != NULL) {
        return wrong;
    }
    if (SSL_CTX_load_verify_locations(context, file, NULL) != 1 || (names = SSL_load_client_CA_file(file)) == NULL) {
        return problem("%s: holds no CERTIFICATE in PEM form that OpenSSL takes; mount one", file);
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    for (int n = 0; n < sk_X509_OBJECT_num(objects); n++) {
        X509 *one = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, n));

        if (one != NULL && authority_end == NULL) {
            authority_end = ASN1_STRING_dup(X509_get0_notAfter(one));
        }
    }
    return NULL;
}

const char *tls_prepare(const char *certificate, const char *key, const char *authority)
{
    static const unsigned char name[] = "ossec-log-server";
    const char *wrong;

    if ((context = SSL_CTX_new(TLS_server_method())) == NULL) {
        return "OpenSSL can't be used here";
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_num_tickets(context, 0); /* one that a client leaves unread makes its kernel reset what it sent last */
    SSL_CTX_set_session_id_context(context, name, sizeof(name) - 1);
    if ((wrong = read_certificate(certificate)) != NULL || (wrong = read_key(key, certificate)) != NULL ||
        (authority != NULL && (wrong = read_authority(authority)) != NULL)) {
        return wrong;
    }
    ERR_clear_error();
    return NULL;
}

static uint64_t seconds_since_1970(const ASN1_TIME *time)
{
    struct tm parts;

    return time != NULL && ASN1_TIME_to_tm(time, &parts) == 1 && timegm(&parts) > 0 ? (uint64_t)timegm(&parts) : 0;
}

uint64_t tls_expires(void)
{
    uint64_t own = seconds_since_1970(certificate_end), authority = seconds_since_1970(authority_end);

    return authority_end != NULL && authority < own ? authority : own;
}

void tls_warn(void)
{
    int64_t left = (int64_t)tls_expires() - (int64_t)time(NULL);
    int authority = tls_expires() != seconds_since_1970(certificate_end);

    if (context != NULL && left < SOON_S) {
        say("%s: the %s %s; mount a new one, as TLS connections fail with an expired one",
            authority ? settings.ca : settings.certificate, authority ? "authority" : "certificate",
            left < 0 ? "has expired" : left < 86400 ? "expires within a day" : "expires within two weeks");
    }
}

void tls_failed(const struct connection *c, const char *why)
{
    char detail[160];

    snprintf(detail, sizeof(detail), "%s: %s", c->source.text, why);
    notice(NOTICE_TLS, 1, detail);
}

/* What a call's result means: errno is EAGAIN or EPROTO then. */
static void understand(struct connection *c, int result)
{
    int error = SSL_get_error(c->tls, result);

    c->wants_out = error == SSL_ERROR_WANT_WRITE;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
}

int tls_handshake(struct connection *c)
{
    long verified;
    const char *reason;
    int result;

    ERR_clear_error();
    result = SSL_accept(c->tls);
    if (result == 1) {
        c->wants_out = 0;
        return 1;
    }
    understand(c, result);
    if (errno == EAGAIN) {
        return 0;
    }
    verified = SSL_get_verify_result(c->tls);
    reason = verified != X509_V_OK ? X509_verify_cert_error_string(verified) : ERR_reason_error_string(ERR_peek_error());
    /* The health check hangs up when it has the server's first answer. */
    if (reason != NULL || strcmp(c->source.text, "127.0.0.1") != 0) {
        tls_failed(c, reason ? reason : "the peer hung up in the handshake");
    }
    return -1;
}

/* Reads all of the records that have come, so that nothing is kept that the kernel does not tell of. */
static ssize_t tls_read(struct connection *c, char *to, size_t room)
{
    size_t filled = 0;

    while (room - filled >= SSL3_RT_MAX_PLAIN_LENGTH) {
        int got;

        ERR_clear_error();
        got = SSL_read(c->tls, to + filled, SSL3_RT_MAX_PLAIN_LENGTH);
        if (got <= 0) {
            int closed = SSL_get_error(c->tls, got) == SSL_ERROR_ZERO_RETURN;

            understand(c, got);
            c->again = errno != EAGAIN; /* the next call tells of the end, where this one has bytes to tell of */
            return filled > 0 || closed ? (ssize_t)filled : -1;
        }
        filled += (size_t)got;
    }
    c->wants_out = 0;
    return (ssize_t)filled;
}

static ssize_t tls_write(struct connection *c, const char *from, size_t length)
{
    int got;

    ERR_clear_error();
    got = SSL_write(c->tls, from, (int)(length < (1u << 20) ? length : 1u << 20));
    if (got > 0) {
        return got;
    }
    understand(c, got);
    return -1;
}

static void tls_end(struct connection *c)
{
    if (!c->handshaking) {
        ERR_clear_error();
        SSL_shutdown(c->tls);
    }
    SSL_free(c->tls);
    c->tls = NULL;
    ERR_clear_error();
}

static const struct transport tls_transport = {tls_read, tls_write, tls_end};

int tls_begin(struct connection *c)
{
    if ((c->tls = SSL_new(context)) == NULL || SSL_set_fd(c->tls, c->watch.fd) != 1) {
        SSL_free(c->tls);
        return 0;
    }
    c->transport = &tls_transport;
    c->handshaking = 1;
    return 1;
}
