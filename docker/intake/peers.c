#include "peers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "networks.h"

#define EVERYBODY 0 /* bits: an entry without a network; less than of ::/0, which is counted from 1 */

struct entry {
    struct networks *network; /* NULL: everybody's */
    unsigned bits;
    enum peer_duty duty;
    char *name;
};

struct peers {
    struct entry *all;
    size_t count;
};

/* Letters, digits and what stands in host names and addresses; a star only as the whole first label. */
static int is_name(const char *text)
{
    static const char usual[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";

    if (strncmp(text, "*.", 2) == 0) {
        text += 2;
    }
    return text[0] != '\0' && strlen(text) < 256 && text[strspn(text, usual)] == '\0';
}

static const char *read_entry(struct entry *entry, char *text)
{
    char *sign = strchr(text, '=');
    const char *wrong;

    *entry = (struct entry){NULL, EVERYBODY, PEER_PERMITTED_NAME, NULL};
    if (sign != NULL) {
        *sign++ = '\0';
        entry->network = networks_make();
        if ((wrong = networks_add(entry->network, text, &entry->bits)) != NULL) {
            return wrong;
        }
        entry->bits++;
        text = sign;
    }
    if (sign != NULL && (strcmp(text, "any") == 0 || strcmp(text, "none") == 0)) {
        entry->duty = text[0] == 'a' ? PEER_ANY_NAME : PEER_NO_CERTIFICATE;
        return NULL;
    }
    if (!is_name(text)) {
        return "is not a certificate's name; write for example web1.example.org, *.example.org, 10.1.0.0/16=fw.example.org, "
               "10.2.0.0/16=any or 10.3.0.7=none";
    }
    return (entry->name = strdup(text)) != NULL ? NULL : "needs more memory than there is";
}

struct peers *peers_read(FILE *file, char *problem, size_t size)
{
    struct peers *made = calloc(1, sizeof(*made));
    char line[600], shown[128];

    problem[0] = '\0';
    while (made != NULL && problem[0] == '\0' && fgets(line, sizeof(line), file) != NULL) {
        struct entry *more = reallocarray(made->all, made->count + 1, sizeof(*more));
        const char *wrong;

        line[strcspn(line, "\r\n")] = '\0';
        snprintf(shown, sizeof(shown), "%.120s", line);
        if (more == NULL) {
            break;
        }
        made->all = more;
        if ((wrong = read_entry(&made->all[made->count++], line)) != NULL) {
            snprintf(problem, size, "'%s' %s", shown, wrong);
        }
    }
    if (problem[0] == '\0' && (made == NULL || !feof(file))) {
        snprintf(problem, size, "the names of peers cannot be read");
    }
    if (problem[0] != '\0') {
        peers_free(made);
        return NULL;
    }
    return made;
}

void peers_free(struct peers *peers)
{
    for (size_t n = 0; peers != NULL && n < peers->count; n++) {
        networks_free(peers->all[n].network);
        free(peers->all[n].name);
    }
    if (peers != NULL) {
        free(peers->all);
        free(peers);
    }
}

static int holds(const struct entry *entry, const struct in6_addr *address, uint32_t scope)
{
    return entry->network == NULL || networks_hold(entry->network, address, scope);
}

struct peer_policy peers_policy(const struct peers *peers, const struct in6_addr *address, uint32_t scope)
{
    struct peer_policy found = {PEER_ANY_NAME, EVERYBODY};

    for (size_t n = 0; peers != NULL && n < peers->count; n++) {
        const struct entry *entry = &peers->all[n];

        if (entry->bits < found.prefix_length || !holds(entry, address, scope)) {
            continue;
        }
        if (entry->bits > found.prefix_length || entry->duty > found.duty) {
            found = (struct peer_policy){entry->duty, entry->bits};
        }
    }
    return found;
}

static int matches(const char *pattern, const char *name, size_t length)
{
    if (pattern[0] == '*') {
        const char *dot = memchr(name, '.', length);

        if (dot == NULL || dot == name) {
            return 0;
        }
        pattern++;
        length -= (size_t)(dot - name);
        name = dot;
    }
    return strlen(pattern) == length && strncasecmp(pattern, name, length) == 0;
}

int peers_permit(const struct peers *peers, const struct in6_addr *address, uint32_t scope, const char *name, size_t length)
{
    unsigned bits = peers_policy(peers, address, scope).prefix_length;

    for (size_t n = 0; peers != NULL && n < peers->count; n++) {
        const struct entry *entry = &peers->all[n];

        if (entry->bits == bits && entry->name != NULL && holds(entry, address, scope) && matches(entry->name, name, length)) {
            return 1;
        }
    }
    return 0;
}
