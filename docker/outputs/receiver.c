#include "receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CERTIFICATES "/etc/ossec-log-server/forward/"
#define PUBLIC_CAS "/etc/ssl/certs/ca-certificates.crt"

volatile sig_atomic_t receiver_patience_ms = 10000;

static int broken(struct receiver *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int broken(struct receiver *r, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(r->why, sizeof(r->why), format, arguments);
    va_end(arguments);
    SSL_free(r->tls);
    r->tls = NULL;
    if (r->socket > STDERR_FILENO) {
        close(r->socket);
    }
    r->socket = -1;
    r->length = 0;
    return -1;
}

static int broken_tls(struct receiver *r)
{
    long verified = r->tls ? SSL_get_verify_result(r->tls) : X509_V_OK;
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (verified != X509_V_OK) {
        reason = X509_verify_cert_error_string(verified);
    }
    return broken(r, "TLS: %s", reason ? reason : "the connection ended");
}

static int wait_for(struct receiver *r, short what)
{
    struct pollfd one = {r->socket, what, 0};
    int ready;

    do {
        ready = poll(&one, 1, receiver_patience_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        return broken(r, "%s", ready == 0 ? "no answer" : strerror(errno));
    }
    return 0;
}

/* After a step of TLS that did not end as wished: 0 when it can be tried again. */
static int wait_for_tls(struct receiver *r, int result)
{
    switch (SSL_get_error(r->tls, result)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(r, POLLIN);
    case SSL_ERROR_WANT_WRITE:
        return wait_for(r, POLLOUT);
    default:
        return broken_tls(r);
    }
}

static int start_tls(struct receiver *r)
{
    static SSL_CTX *context;
    unsigned char address[sizeof(struct in6_addr)];
    int is_address = inet_pton(AF_INET, r->host, address) == 1 || inet_pton(AF_INET6, r->host, address) == 1, result;

    ERR_clear_error();
    if (context == NULL) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        if (SSL_CTX_load_verify_file(context, access(CERTIFICATES "ca.crt", F_OK) == 0 ? CERTIFICATES "ca.crt" : PUBLIC_CAS) != 1 ||
            (access(CERTIFICATES "tls.crt", F_OK) == 0 &&
             (SSL_CTX_use_certificate_chain_file(context, CERTIFICATES "tls.crt") != 1 ||
              SSL_CTX_use_PrivateKey_file(context, CERTIFICATES "tls.key", SSL_FILETYPE_PEM) != 1 ||
              SSL_CTX_check_private_key(context) != 1))) {
            SSL_CTX_free(context);
            context = NULL;
            return broken_tls(r);
        }
    }
    r->tls = SSL_new(context);
    if (is_address) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(r->tls), r->host);
    } else {
        SSL_set1_host(r->tls, r->host);
        SSL_set_tlsext_host_name(r->tls, r->host);
    }
    SSL_set_fd(r->tls, r->socket);
    while ((result = SSL_connect(r->tls)) != 1) {
        if (wait_for_tls(r, result) != 0) {
            return -1;
        }
    }
    return 0;
}

static int connect_to(struct receiver *r, const struct addrinfo *to)
{
    int problem = 0, on = 1, idle = 60;
    socklen_t size = sizeof(problem);

    r->socket = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->socket < 0) {
        return broken(r, "%s", strerror(errno));
    }
    setsockopt(r->socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(r->socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(r->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(r->socket, to->ai_addr, to->ai_addrlen) != 0) {
        if (errno != EINPROGRESS) {
            return broken(r, "%s", strerror(errno));
        }
        if (wait_for(r, POLLOUT) != 0) {
            return -1;
        }
        getsockopt(r->socket, SOL_SOCKET, SO_ERROR, &problem, &size);
    }
    return problem ? broken(r, "%s", strerror(problem)) : 0;
}

static int receive(struct receiver *r, char *data, size_t size)
{
    while (size > 0) {
        long result = recv(r->socket, data, size, 0);

        if (result > 0) {
            data += result;
            size -= (size_t)result;
        } else if (result == 0 || errno != EAGAIN) {
            return broken(r, "%s", result == 0 ? "the connection ended" : strerror(errno));
        } else if (wait_for(r, POLLIN) != 0) {
            return -1;
        }
    }
    return 0;
}

/* One answer of RELP, "NUMBER rsp LENGTH 200 OK...": the number of the command that it is for, 0 when it is broken. */
static unsigned answer(struct receiver *r)
{
    char head[64] = "", text[1024] = "", word[16];
    size_t have = 0, length = 0;
    unsigned of = 0;
    int end = 0;

    while (have == 0 || strchr(" \n", head[have - 1]) == NULL ||
           sscanf(head, "%u %15s %zu%n", &of, word, &length, &end) != 3 || (size_t)end != have - 1) {
        if (have == sizeof(head) - 1) {
            broken(r, "its answer is not RELP");
            return 0;
        }
        if (receive(r, head + have++, 1) != 0) {
            return 0;
        }
    }
    if (length >= sizeof(text) - 1) {
        broken(r, "its answer is too long");
        return 0;
    }
    if (head[have - 1] == ' ' && receive(r, text, length + 1) != 0) {
        return 0;
    }
    if (strcmp(word, "rsp") != 0 || strncmp(text, "200", 3) != 0) {
        text[strcspn(text, "\n")] = '\0';
        broken(r, "it answered \"%s %.100s\"", word, text);
        return 0;
    }
    return of;
}

size_t receiver_relp_head(struct receiver *r, const char *command, size_t length, char *head, size_t size)
{
    r->number = r->number % 999999999 + 1;
    return (size_t)snprintf(head, size, "%u %s %zu ", r->number, command, length);
}

static int write_all(struct receiver *r, const char *data, size_t length)
{
    while (length > 0) {
        long result = r->tls ? SSL_write(r->tls, data, (int)length) : write(r->socket, data, length);

        if (result > 0) {
            data += result;
            length -= (size_t)result;
        } else if (r->tls ? wait_for_tls(r, (int)result) != 0
                          : errno == EINTR ? 0
                          : errno == EAGAIN ? wait_for(r, POLLOUT) != 0
                                            : broken(r, "%s", strerror(errno)) != 0) {
            return -1;
        }
    }
    return 0;
}

int receiver_flush(struct receiver *r)
{
    size_t length = r->length;

    r->length = 0;
    return write_all(r, r->buffer, length);
}

int receiver_put(struct receiver *r, const char *data, size_t length)
{
    while (length > 0) {
        size_t part = length < sizeof(r->buffer) - r->length ? length : sizeof(r->buffer) - r->length;

        memcpy(r->buffer + r->length, data, part);
        r->length += part;
        data += part;
        length -= part;
        if (r->length == sizeof(r->buffer) && receiver_flush(r) != 0) {
            return -1;
        }
    }
    return 0;
}

static int open_relp(struct receiver *r)
{
    const char *offers = "relp_version=0\nrelp_software=ossec-log-server\ncommands=syslog";
    char command[256];
    size_t head;

    r->number = 0;
    head = receiver_relp_head(r, "open", strlen(offers), command, sizeof(command));
    snprintf(command + head, sizeof(command) - head, "%s\n", offers);
    return write_all(r, command, strlen(command)) != 0 || answer(r) == 0 ? -1 : 0;
}

int receiver_connect(struct receiver *r)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int problem;

    if (strcmp(r->way, "stdout") == 0) {
        r->socket = STDOUT_FILENO;
        return 0;
    }
    if ((problem = getaddrinfo(r->host, r->port, &hints, &found)) != 0) {
        return broken(r, "%s", gai_strerror(problem));
    }
    for (const struct addrinfo *to = found; to != NULL && r->socket < 0; to = to->ai_next) {
        connect_to(r, to);
    }
    freeaddrinfo(found);
    if (r->socket < 0 || (strcmp(r->way, "tls") == 0 && start_tls(r) != 0)) {
        return -1;
    }
    return strcmp(r->way, "relp") == 0 ? open_relp(r) : 0;
}

/* What a receiver of TCP or TLS says is not looked at, but for its end. */
static int has_ended(struct receiver *r)
{
    char ignored[1024];
    int result;

    do {
        result = r->tls ? SSL_read(r->tls, ignored, sizeof(ignored)) : (int)recv(r->socket, ignored, sizeof(ignored), 0);
    } while (result > 0);
    if (r->tls ? SSL_get_error(r->tls, result) == SSL_ERROR_WANT_READ : result < 0 && errno == EAGAIN) {
        return 0;
    }
    broken(r, "the connection ended");
    return 1;
}

int receiver_confirm(struct receiver *r)
{
    int waiting = 0;
    unsigned of;

    if (strcmp(r->way, "stdout") == 0) {
        return 0;
    }
    if (strcmp(r->way, "relp") == 0) {
        while ((of = answer(r)) != 0 && of != r->number) {
        }
        return of != 0 ? 0 : -1;
    }
    for (int ms = 0; !has_ended(r); ms++) {
        if (ioctl(r->socket, SIOCOUTQ, &waiting) != 0 || waiting == 0) {
            return 0;
        }
        if (ms >= receiver_patience_ms) {
            return broken(r, "no answer");
        }
        poll(NULL, 0, 1);
    }
    return -1;
}
