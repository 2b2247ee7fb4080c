#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "connection.h"
#include "deadline.h"

#define FOLDER "/etc/ossec-log-server/forward"
#define PUBLIC_CAS "/etc/ssl/certs/ca-certificates.crt"

static int broken_tls(struct target *t)
{
    long verified = t->tls ? SSL_get_verify_result(t->tls) : X509_V_OK;
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (verified != X509_V_OK) {
        reason = X509_verify_cert_error_string(verified);
    }
    return connection_broken(t, "TLS: %s", reason ? reason : "the connection ended");
}

/* A path in the folder of certificates, where a name of it is there: also a link to nowhere, or what can't be read. Such a
 * one is to fail, and not to be left out. */
static int is_there(const char *name, char *path, size_t size)
{
    const char *folder = getenv("OSSEC_OUTPUT_CERTIFICATES"); /* another folder, for tests */
    struct stat st;

    snprintf(path, size, "%s/%s", folder ? folder : FOLDER, name);
    return lstat(path, &st) == 0 || errno != ENOENT;
}

/* From TLS 1.3 on our handshake is over before the peer has looked at our certificate. It sends a ticket when it has. */
static int on_ticket(SSL *tls, SSL_SESSION *session)
{
    struct target *t = SSL_get_app_data(tls);

    (void)session;
    t->accepted = 1;
    return 0;
}

static SSL_CTX *context(struct target *t)
{
    char authorities[512], certificate[512], key[512];
    int own = is_there("tls.crt", certificate, sizeof(certificate));
    SSL_CTX *made = SSL_CTX_new(TLS_client_method());

    if (!is_there("ca.crt", authorities, sizeof(authorities))) {
        snprintf(authorities, sizeof(authorities), "%s", PUBLIC_CAS);
    }
    own |= is_there("tls.key", key, sizeof(key));
    if (made == NULL || SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION) != 1 ||
        SSL_CTX_load_verify_file(made, authorities) != 1 ||
        (own && (SSL_CTX_use_certificate_chain_file(made, certificate) != 1 ||
                 SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(made) != 1))) {
        SSL_CTX_free(made);
        return NULL;
    }
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(made, on_ticket);
    t->shows_certificate = own;
    return made;
}

/* Whose certificate it must be. */
static int expect_host(struct target *t)
{
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, t->host, address) == 1 || inet_pton(AF_INET6, t->host, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->tls), t->host);
    }
    return SSL_set1_host(t->tls, t->host) == 1 && SSL_set_tlsext_host_name(t->tls, t->host) == 1;
}

/* After a step that did not end as wished: 0 when it can be tried again once what it wants is there. */
static int later(struct target *t, int result)
{
    switch (SSL_get_error(t->tls, result)) {
    case SSL_ERROR_WANT_READ:
        t->wants = POLLIN;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        t->wants = POLLOUT;
        return 0;
    default:
        return broken_tls(t);
    }
}

int tls_start(struct target *t)
{
    int64_t deadline = deadline_for_answer(); /* for all of it */
    SSL_CTX *made;
    int result;

    ERR_clear_error();
    made = context(t);
    t->tls = made != NULL ? SSL_new(made) : NULL;
    SSL_CTX_free(made);
    if (t->tls == NULL || expect_host(t) != 1 || SSL_set_fd(t->tls, t->socket) != 1) {
        return broken_tls(t);
    }
    SSL_set_app_data(t->tls, t);
    while ((result = SSL_connect(t->tls)) != 1) {
        if (later(t, result) != 0 || connection_wait(t, deadline) != 0) {
            return -1;
        }
        if (is_over(&deadline)) {
            return connection_broken(t, "no answer");
        }
    }
    t->accepted |= SSL_version(t->tls) < TLS1_3_VERSION; /* there, the peer's last word comes after ours */
    t->opened_at = now_ms();
    return 0;
}

long tls_read(struct target *t, char *data, size_t size)
{
    int result;

    ERR_clear_error();
    result = SSL_read(t->tls, data, (int)size);
    if (result > 0) {
        t->accepted = 1;
        return result;
    }
    return later(t, result);
}

long tls_write(struct target *t, const char *data, size_t length)
{
    int result;

    ERR_clear_error();
    result = SSL_write(t->tls, data, (int)length);
    return result > 0 ? result : later(t, result);
}

void tls_end(struct target *t)
{
    if (t->tls != NULL) {
        SSL_free(t->tls);
    }
    t->tls = NULL;
}
