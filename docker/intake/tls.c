#define _GNU_SOURCE
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "connection.h"
#include "peers.h"
#include "say.h"
#include "tls_context.h"

#define SOON_S (14 * 86400)

static struct tls_context current;
static struct peers *peers;
static char refused_name[256]; /* of the certificate that was last looked at, for the log */

static const char *read_peers(struct peers **made)
{
    static char problem[512];
    FILE *file = settings.peers != NULL ? fopen(settings.peers, "re") : NULL;

    *made = NULL;
    if (settings.peers == NULL) {
        return NULL;
    }
    if (file == NULL) {
        snprintf(problem, sizeof(problem), "%s cannot be read: %s", settings.peers, strerror(errno));
        return problem;
    }
    *made = peers_read(file, problem, sizeof(problem));
    fclose(file);
    return *made != NULL ? NULL : problem;
}

static int permits(const struct source *from, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *bytes;

    if (name->type == GEN_DNS) {
        bytes = name->d.dNSName;
        return peers_permit(peers, &from->address, from->scope, (const char *)ASN1_STRING_get0_data(bytes),
                            (size_t)ASN1_STRING_length(bytes));
    }
    if (name->type != GEN_IPADD) {
        return 0;
    }
    bytes = name->d.iPAddress;
    return inet_ntop(ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text, sizeof(text)) != NULL &&
           peers_permit(peers, &from->address, from->scope, text, strlen(text));
}

/* RFC 5425, 5.2: the names of its subjectAltName; where that has no host's name, the common name. */
static int has_permitted_name(const struct source *from, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int permitted = 0, hosts = 0;

    refused_name[0] = '\0';
    for (int n = 0; n < sk_GENERAL_NAME_num(names); n++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, n);

        if (name->type == GEN_DNS && hosts++ == 0) {
            snprintf(refused_name, sizeof(refused_name), "%.*s", ASN1_STRING_length(name->d.dNSName),
                     (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        }
        permitted |= permits(from, name);
    }
    GENERAL_NAMES_free(names);
    if (hosts == 0 && X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, refused_name,
                                                sizeof(refused_name)) > 0) {
        permitted |= peers_permit(peers, &from->address, from->scope, refused_name, strlen(refused_name));
    }
    return permitted;
}

/* Called for each certificate of a chain, last for the client's own. */
static int judge(int so_far, X509_STORE_CTX *chain)
{
    const SSL *tls = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct connection *c = SSL_get_app_data(tls);

    if (so_far && X509_STORE_CTX_get_error_depth(chain) == 0 &&
        peers_policy(peers, &c->source.address, c->source.scope).duty == PEER_PERMITTED_NAME &&
        !has_permitted_name(&c->source, X509_STORE_CTX_get_current_cert(chain))) {
        X509_STORE_CTX_set_error(chain, X509_V_ERR_HOSTNAME_MISMATCH);
        return 0;
    }
    return so_far;
}

const char *tls_prepare(void)
{
    const struct tls_files files = {settings.certificate, settings.key, settings.ca, settings.ciphers, settings.tls_1_3};
    struct tls_context made;
    struct peers *made_peers;
    const char *wrong = read_peers(&made_peers);

    if (wrong == NULL && (wrong = tls_context_make(&made, &files)) == NULL) {
        SSL_CTX_free(current.ssl); /* connections that are open keep it */
        peers_free(peers);
        current = made;
        peers = made_peers;
        return NULL;
    }
    peers_free(made_peers);
    return wrong;
}

uint64_t tls_expires(void)
{
    return current.authority_end != 0 && current.authority_end < current.certificate_end ? current.authority_end
                                                                                        : current.certificate_end;
}

void tls_warn(void)
{
    int64_t left = (int64_t)tls_expires() - (int64_t)time(NULL);
    int authority = tls_expires() != current.certificate_end;

    if (current.ssl != NULL && left < SOON_S) {
        say("%s: the %s %s; mount a new one, as TLS connections fail with an expired one",
            authority ? settings.ca : settings.certificate, authority ? "authority" : "certificate",
            left < 0 ? "has expired" : left < 86400 ? "expires within a day" : "expires within two weeks");
    }
    if (current.ssl != NULL && (int64_t)current.certificate_begin > (int64_t)time(NULL)) {
        say("%s: the certificate is not valid yet, and TLS connections fail until it is; mount another one, or set this machine's clock",
            settings.certificate);
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

static void name_failed(const struct connection *c)
{
    char why[112];

    snprintf(why, sizeof(why), "its certificate is for %.48s, which is not in OSSEC_TLS_PEERS", refused_name);
    tls_failed(c, why);
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
    if (verified == X509_V_ERR_HOSTNAME_MISMATCH) {
        name_failed(c);
        return -1;
    }
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

static void tls_hang_up(struct connection *c)
{
    ERR_clear_error();
    SSL_shutdown(c->tls);
    ERR_clear_error();
}

static void tls_end(struct connection *c)
{
    SSL_free(c->tls);
    c->tls = NULL;
    ERR_clear_error();
}

static const struct transport tls_transport = {tls_read, tls_write, tls_hang_up, tls_end};

int tls_begin(struct connection *c)
{
    enum peer_duty duty = peers_policy(peers, &c->source.address, c->source.scope).duty;

    if ((c->tls = SSL_new(current.ssl)) == NULL || SSL_set_fd(c->tls, c->watch.fd) != 1) {
        SSL_free(c->tls);
        return 0;
    }
    SSL_set_app_data(c->tls, c);
    if (settings.ca != NULL && duty != PEER_NO_CERTIFICATE) {
        SSL_set_verify(c->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, judge);
    }
    c->transport = &tls_transport;
    c->handshaking = 1;
    return 1;
}
