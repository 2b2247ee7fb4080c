#include "target.h"

#include <stdio.h>
#include <string.h>

static const struct transport *const transports[] = {&transport_stdout, &transport_tcp, &transport_tls, &transport_relp,
                                                     &transport_relps, &transport_http};

int target_choose(struct target *t, const char *name)
{
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (transports[i] != NULL && strcmp(transports[i]->name, name) == 0) {
            t->transport = transports[i];
            return 0;
        }
    }
    return -1;
}

int target_open(struct target *t)
{
    t->length = 0;
    t->is_open = t->transport->open(t) == 0;
    return t->is_open ? 0 : -1;
}

static int still_open(struct target *t, int result)
{
    t->is_open = result == 0;
    return result;
}

int target_put(struct target *t, const char *head, size_t head_length, const char *alert, size_t length)
{
    return still_open(t, t->transport->put(t, head, head_length, alert, length));
}

int target_confirm(struct target *t)
{
    return still_open(t, t->transport->confirm(t));
}

void target_close(struct target *t)
{
    if (t->is_open) {
        t->transport->close(t);
        t->is_open = 0;
    }
}

int target_wants(const struct target *t, const char *alert, size_t length)
{
    return t->transport->wants == NULL || t->transport->wants(t, alert, length);
}

int target_idle(struct target *t)
{
    return t->transport->idle == NULL ? 0 : t->transport->idle(t);
}

const char *target_name(const struct target *t)
{
    static char name[512];

    if (t->name != NULL || !t->transport->is_remote) {
        return t->name != NULL ? t->name : "standard output";
    }
    snprintf(name, sizeof(name), strchr(t->host, ':') != NULL ? "%s://[%s]:%s" : "%s://%s:%s", t->transport->name, t->host,
             t->port);
    return name;
}
