/* RELP. What has arrived is what the peer has acknowledged, each alert by its number. A peer that answers otherwise loses the
 * connection, and is tried again after a while like one that is away. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "deadline.h"
#include "tls.h"

#define LARGEST_NUMBER 999999999
#define HEAD_LENGTH 64 /* bytes; no head of an answer is longer */

static char acknowledged[MOST_BATCH + 1]; /* of the commands since `t->acknowledged` */

static unsigned number_after(unsigned number, unsigned count)
{
    return (number - 1 + count) % LARGEST_NUMBER + 1;
}

/* How many commands after the last that was settled, 0 for one that is not expected. */
static unsigned place_of(const struct target *t, unsigned number)
{
    for (unsigned i = 1; i <= t->sent; i++) {
        if (number == number_after(t->acknowledged, i)) {
            return acknowledged[i] ? 0 : i;
        }
    }
    return 0;
}

/* Puts a command's head: "NUMBER COMMAND LENGTH ". */
static int put_head(struct target *t, const char *command, size_t length)
{
    char head[HEAD_LENGTH];

    t->sent++;
    acknowledged[t->sent] = 0;
    return connection_put(t, head, (size_t)snprintf(head, sizeof(head), "%u %s %zu ",
                                                  number_after(t->acknowledged, t->sent), command, length));
}

/* The number of decimal digits at *text, which is moved behind them and the space that follows. -1 if there is none. */
static long take_number(char **text)
{
    char *end;
    long number;

    if (**text < '0' || **text > '9') {
        return -1;
    }
    number = strtol(*text, &end, 10);
    if (end - *text > 9) {
        return -1;
    }
    *text = end + (*end == ' ');
    return number;
}

static void take_bytes(struct target *t, size_t length)
{
    memmove(t->answer, t->answer + length, t->answer_length - length);
    t->answer_length -= length;
}

/* Takes one answer, "NUMBER rsp LENGTH 200 OK...", out of what has been read: 1 for that, 0 if there is more to read, -1. */
static int take_answer(struct target *t, int *progress)
{
    char head[HEAD_LENGTH + 1], *text = head, word[17] = "", *data;
    size_t have = t->answer_length < HEAD_LENGTH ? t->answer_length : HEAD_LENGTH, whole;
    long number, length;
    unsigned place;

    memcpy(head, t->answer, have);
    head[have] = '\0';
    number = take_number(&text);
    if (number >= 0 && sscanf(text, "%16[a-z]", word) == 1) {
        text += strlen(word);
        text += *text == ' ';
    }
    length = take_number(&text);
    if (length < 0 || *text == '\0') { /* the head may end later */
        int may_go_on = have < HEAD_LENGTH && strlen(head) == have && strchr(head, '\n') == NULL;

        return may_go_on ? 0 : connection_broken(t, "its answer is not RELP");
    }
    whole = (size_t)(text - head) + (size_t)length + 1;
    if (whole > sizeof(t->answer)) {
        return connection_broken(t, "its answer is too long");
    }
    if (t->answer_length < whole) {
        return 0;
    }
    data = t->answer + (text - head);
    if (data[length] != '\n') {
        return connection_broken(t, "its answer is not RELP");
    }
    data[length] = '\0';
    if (strcmp(word, "rsp") != 0 || strncmp(data, "200", 3) != 0) {
        data[strcspn(data, "\n")] = '\0';
        return connection_broken(t, "it answered \"%s %.100s\"", word, data);
    }
    place = place_of(t, (unsigned)number);
    if (place == 0) {
        return connection_broken(t, "it answered what it was not asked");
    }
    acknowledged[place] = 1;
    (*progress)++;
    take_bytes(t, whole);
    return 1;
}

/* Until every command that was sent is acknowledged. */
static int confirm(struct target *t)
{
    int64_t deadline;
    unsigned had = 0;

    if (connection_flush(t) != 0) {
        return -1;
    }
    deadline = deadline_for_answer();
    while (had < t->sent) {
        int progress = 0, result;
        long length;

        while ((result = take_answer(t, &progress)) > 0) {
        }
        if (result < 0) {
            return -1;
        }
        had += (unsigned)progress;
        deadline = progress > 0 ? deadline_for_answer() : deadline;
        if (had == t->sent) {
            break;
        }
        length = connection_read(t, t->answer + t->answer_length, sizeof(t->answer) - t->answer_length);
        if (length < 0 || (length == 0 && connection_wait(t, deadline) != 0)) {
            return -1;
        }
        if (is_over(&deadline)) {
            return connection_broken(t, "no answer");
        }
        t->answer_length += (size_t)length;
    }
    t->acknowledged = number_after(t->acknowledged, t->sent);
    t->sent = 0;
    return 0;
}

/* What a session begins with, once there is a connection. */
static int begin(struct target *t)
{
    const char *offers = "relp_version=0\nrelp_software=ossec-log-server\ncommands=syslog";

    t->acknowledged = LARGEST_NUMBER; /* so that 1 is the first */
    t->sent = 0;
    t->answer_length = 0;
    return put_head(t, "open", strlen(offers)) != 0 || connection_put(t, offers, strlen(offers)) != 0 ||
                   connection_put(t, "\n", 1) != 0
               ? -1
               : confirm(t);
}

static int open_relp(struct target *t)
{
    return connection_open(t) != 0 ? -1 : begin(t);
}

static int open_relps(struct target *t)
{
    return connection_open(t) != 0 || tls_start(t) != 0 ? -1 : begin(t);
}

static int put(struct target *t, const char *head, size_t head_length, const char *alert, size_t length)
{
    return put_head(t, "syslog", head_length + length) != 0 || connection_put(t, head, head_length) != 0 ||
                   connection_put(t, alert, length) != 0 || connection_put(t, "\n", 1) != 0
               ? -1
               : 0;
}

/* Tells the peer that this is the end, and waits for its word that it has understood. */
static void end(struct target *t)
{
    if (put_head(t, "close", 0) == 0 && connection_put(t, "\n", 1) == 0 && confirm(t) == 0) {
        connection_close(t);
    }
}

const struct transport transport_relp = {"relp", MOST_BATCH, 1, open_relp, put, confirm, end, NULL, NULL, NULL};
const struct transport transport_relps = {"relps", MOST_BATCH, 1, open_relps, put, confirm, end, NULL, NULL, NULL}; /* the same over TLS */
