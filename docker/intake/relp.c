#include "relp.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connections.h"
#include "say.h"

#define DIGITS 9   /* of a number, at most */
#define COMMAND 32 /* letters of a command, at most */

struct command {
    uint32_t number;
    char name[COMMAND + 1];
    size_t length; /* of its data */
    size_t head;   /* bytes before the data */
};

static struct connection *waiting; /* those with answers */

int relp_waits(void) { return waiting != NULL; }

static void waits_no_more(struct connection *c)
{
    *(c->relp.before ? &c->relp.before->relp.next : &waiting) = c->relp.next;
    if (c->relp.next) {
        c->relp.next->relp.before = c->relp.before;
    }
    c->relp.before = c->relp.next = NULL;
}

static void begins_to_wait(struct connection *c)
{
    c->relp.next = waiting;
    if (waiting) {
        waiting->relp.before = c;
    }
    waiting = c;
}

/* Answers when all that was taken until now is on disk. */
static void answer(struct connection *c, uint32_t number, const char *text)
{
    struct relp *r = &c->relp;

    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 128;
        struct relp_answer *more = malloc(room * sizeof(*more));

        if (more == NULL) {
            c->ended = c->closing = 1; /* unanswered: the sender sends it again */
            return;
        }
        for (size_t n = 0; n < r->count; n++) {
            more[n] = r->answers[(r->first + n) % r->room];
        }
        free(r->answers);
        r->answers = more;
        r->first = 0;
        r->room = room;
    }
    r->answers[(r->first + r->count++) % r->room] = (struct relp_answer){journal_appended(journal), number, text};
    if (r->count == 1) {
        begins_to_wait(c);
    }
}

static void say_answer(struct connection *c, uint32_t number, const char *text)
{
    char frame[256];
    int length = text ? snprintf(frame, sizeof(frame), "%" PRIu32 " rsp %zu %s\n", number, strlen(text), text)
                      : snprintf(frame, sizeof(frame), "%" PRIu32 " rsp 0\n", number);

    connection_send(c, frame, (size_t)length);
}

static void say_closed(struct connection *c) { connection_send(c, "0 serverclose 0\n", 16); }

/* Nothing more is read of it; it is closed when all before that is answered. */
static void broken(struct connection *c, uint32_t number, const char *text, const char *why)
{
    char detail[128];

    snprintf(detail, sizeof(detail), "%s: %s", c->source.text, why);
    notice(NOTICE_RELP, 1, detail);
    answer(c, number, text);
    c->ended = 1;
}

/* The number before the byte `until`, 0 to 9 digits; -1 when it is none, -2 when more is needed. */
static long number_at(const char **at, const char *end)
{
    long number = 0;
    int digits = 0;

    for (; *at < end && isdigit((unsigned char)**at); (*at)++) {
        if (++digits > DIGITS) {
            return -1;
        }
        number = 10 * number + (**at - '0');
    }
    return *at == end ? -2 : digits == 0 ? -1 : number;
}

/* Reads "NUMBER COMMAND LENGTH" and the space or LF behind it: 1, 0 when more is needed, -1 when it is no such thing. */
static int command_at(const char *bytes, size_t length, struct command *command)
{
    const char *at = bytes, *end = bytes + length;
    size_t letters = 0;
    long number = number_at(&at, end);

    command->number = number > 0 ? (uint32_t)number : 0;
    if (number < 0 || *at++ != ' ') {
        return number == -2 ? 0 : -1;
    }
    for (; at < end && isalpha((unsigned char)*at); at++) {
        if (letters == COMMAND) {
            return -1;
        }
        command->name[letters++] = *at;
    }
    command->name[letters] = '\0';
    if (at == end) {
        return 0;
    }
    if (letters == 0 || *at++ != ' ') {
        return -1;
    }
    if ((number = number_at(&at, end)) < 0) {
        return number == -2 ? 0 : -1;
    }
    if (*at != (number == 0 ? '\n' : ' ')) {
        return -1;
    }
    command->length = (size_t)number;
    command->head = (size_t)(at - bytes) + (number > 0);
    return 1;
}

/* Whether what the peer offers has the command "syslog": lines "NAME=VALUE,VALUE". */
static int offers_syslog(const char *data, size_t length)
{
    const char *end = data + length;

    while (data < end) {
        const char *line_end = memchr(data, '\n', (size_t)(end - data));
        size_t line = (size_t)((line_end ? line_end : end) - data);

        if (line > 9 && memcmp(data, "commands=", 9) == 0) {
            for (const char *word = data + 9; word < data + line;) {
                const char *comma = memchr(word, ',', (size_t)(data + line - word));
                size_t letters = (size_t)((comma ? comma : data + line) - word);

                if (letters == 6 && memcmp(word, "syslog", 6) == 0) {
                    return 1;
                }
                word += letters + 1;
            }
        }
        data += line + 1;
    }
    return 0;
}

static void open_session(struct connection *c, const struct command *command, const char *data)
{
    if (c->relp.open) {
        broken(c, command->number, "500 the session is open already", "a second open");
    } else if (!offers_syslog(data, command->length)) {
        broken(c, command->number, "500 the command syslog is not offered", "it does not offer syslog");
    } else {
        c->relp.open = 1;
        say_answer(c, command->number, "200 OK\nrelp_version=0\nrelp_software=ossec-log-server\ncommands=syslog");
    }
}

static void obey(struct connection *c, const struct command *command, const char *data)
{
    size_t length = command->length < FRAME_LIMIT ? command->length : FRAME_LIMIT;

    if (strcmp(command->name, "open") == 0) {
        open_session(c, command, data);
    } else if (!c->relp.open) {
        broken(c, command->number, "500 the session is not open", "no open before the first command");
    } else if (strcmp(command->name, "syslog") == 0) {
        while (length > 0 && strchr("\r\n", data[length - 1]) != NULL) { /* NUL, too */
            length--;
        }
        take_line(c->input, &c->source, data, length);
        answer(c, command->number, "200 OK");
    } else if (strcmp(command->name, "close") == 0) {
        answer(c, command->number, NULL);
        c->ended = 1;
    } else {
        broken(c, command->number, "500 the command is not known", "an unknown command");
    }
}

/* Takes one command: how many bytes it was, 0 when it is not whole. */
static size_t take_command(struct connection *c, const char *bytes, size_t length)
{
    struct command command;
    int there = command_at(bytes, length, &command);
    size_t data;

    if (there < 0 || (there && command.length > FRAME_LIMIT && strcmp(command.name, "syslog") != 0)) {
        broken(c, command.number, "500 that is no RELP frame", "what it sent is no RELP frame");
        return length;
    }
    data = there ? command.length : 0;
    if (there && data > FRAME_LIMIT && length - command.head >= FRAME_LIMIT) {
        obey(c, &command, bytes + command.head);
        c->relp.skip = data - FRAME_LIMIT + 1;
        return command.head + FRAME_LIMIT;
    }
    if (!there || length - command.head < data + 1) {
        return 0;
    }
    if (bytes[command.head + data] != '\n') {
        broken(c, command.number, "500 the frame does not end where it says", "a frame that does not end where it says");
        return length;
    }
    obey(c, &command, bytes + command.head);
    return command.head + data + 1;
}

static size_t relp_take(struct connection *c, const char *bytes, size_t length, int last)
{
    size_t used = 0;

    (void)last; /* what is not whole is not answered: the sender sends it again */
    while (used < length && (!c->ended || last)) {
        size_t taken = c->relp.skip < length - used ? c->relp.skip : length - used;

        if (taken > 0) {
            c->relp.skip -= taken;
        } else if ((taken = take_command(c, bytes + used, length - used)) == 0) {
            break;
        }
        used += taken;
    }
    return c->ended ? length : used;
}

static int relp_waiting(struct connection *c) { return c->relp.count > 0; }

static void relp_end(struct connection *c)
{
    if (c->relp.count > 0) {
        waits_no_more(c);
    }
    free(c->relp.answers);
    c->relp.answers = NULL;
    c->relp.count = 0;
}

const struct protocol relp_protocol = {relp_take, relp_waiting, relp_end};

void relp_answer_synced(void)
{
    uint64_t synced = journal_synced(journal);

    for (struct connection *c = waiting, *next; c != NULL; c = next) {
        struct relp *r = &c->relp;

        next = r->next;
        while (r->count > 0 && r->answers[r->first].position <= synced) {
            const struct relp_answer *due = &r->answers[r->first];

            say_answer(c, due->number, due->text);
            if (due->text == NULL || due->text[0] == '5') {
                say_closed(c);
            }
            r->first = (r->first + 1) % r->room;
            if (--r->count == 0) {
                waits_no_more(c);
            }
        }
        connection_settle(c);
    }
}

static void say_goodbye(struct connection *c)
{
    if (c->protocol == &relp_protocol && c->relp.open && !c->ended) {
        say_closed(c);
        connection_settle(c);
    }
}

void relp_say_goodbye(void) { connections_each(say_goodbye); }
