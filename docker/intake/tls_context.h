/* A context of OpenSSL's, made from files; it is never changed, but replaced by another. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdint.h>

#define CIPHERS_MAX 4096

struct tls_files {
    const char *certificate, *key;
    const char *authority; /* whose certificates clients must show; NULL for none */
    const char *ciphers;   /* as OpenSSL has them, with colons between them; NULL for its own choice */
    int only_1_3;          /* no TLS before 1.3 */
};

struct tls_context {
    SSL_CTX *ssl;
    uint64_t certificate_begin, certificate_end, authority_end; /* in seconds since 1970; 0 for none */
};

/* NULL, or what is wrong, ready to be shown: then nothing is made. */
const char *tls_context_make(struct tls_context *made, const struct tls_files *files);

#endif
