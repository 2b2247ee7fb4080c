/* ossec-search: alerts, or with --archive all lines, that are as asked for, the newest last: today's and those of the days that
 * OSSEC has compressed. What is wrong is one line on standard error, and an exit status of sysexits.h; 1: nothing was found. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "search.h"

enum name { FROM = 1, TO, LEVEL, RULE, HOST, SOURCE, TEXT, ARCHIVE, JSON, FIELDS, TAIL, FOLDER };

static const struct option options[] = {
    {"from", required_argument, NULL, FROM},     {"to", required_argument, NULL, TO},
    {"level", required_argument, NULL, LEVEL},   {"rule", required_argument, NULL, RULE},
    {"host", required_argument, NULL, HOST},     {"srcip", required_argument, NULL, SOURCE},
    {"text", required_argument, NULL, TEXT},     {"archive", no_argument, NULL, ARCHIVE},
    {"json", no_argument, NULL, JSON},           {"fields", no_argument, NULL, FIELDS},
    {"tail", required_argument, NULL, TAIL},     {"logs", required_argument, NULL, FOLDER},
    {NULL, 0, NULL, 0},
};

static struct query query;
static char **ring; /* the last lines that match, with --tail, of one file */
static size_t found, in_ring;

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void wrong(const char *format, ...)
{
    va_list arguments;

    fputs("ossec-log-server: search: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EX_USAGE);
}

static long number(const char *name, long least, long most)
{
    char *end;
    long value = strtol(optarg, &end, 10);

    if (end == optarg || *end != '\0' || value < least || value > most) {
        wrong("--%s: '%s' is not a number from %ld to %ld; write one", name, optarg, least, most);
    }
    return value;
}

static int64_t when(const char *name, int end)
{
    int64_t at = time_of(optarg, end);

    if (at <= 0) {
        wrong("--%s: '%s' is not a time; write for example 2026-11-26, '2026-11-26 13:00', 13:00 or 2h (ago)", name, optarg);
    }
    return at;
}

static void take_option(int name, const char **logs)
{
    switch (name) {
    case FROM: query.from = when("from", 0); break;
    case TO: query.to = when("to", 1); break;
    case LEVEL: query.level = number("level", 0, 16); break;
    case RULE: query.rule = number("rule", 1, 999999999); break;
    case HOST: query.host = optarg; break;
    case SOURCE: query.source = optarg; break;
    case TEXT: query.text = *optarg != '\0' ? optarg : NULL; break;
    case ARCHIVE: query.archive = 1; break;
    case JSON: query.as_json = 1; break;
    case FIELDS: query.as_fields = 1; break;
    case TAIL: query.tail = number("tail", 1, 1000000); break;
    case FOLDER: *logs = optarg; break;
    default: wrong("unknown option, or one without its value; write --from --to --level --rule --host --srcip --text --archive"
                   " --json --tail");
    }
}

static void read_options(int argc, char **argv)
{
    const char *logs = "/var/ossec/data/logs";
    static char folder[400];
    int name;

    opterr = 0;
    while ((name = getopt_long(argc, argv, "", options, NULL)) != -1) {
        take_option(name, &logs);
    }
    if (optind != argc) {
        wrong("'%s' is not an option; to look for a text, write --text '%s'", argv[optind], argv[optind]);
    }
    if (query.archive && (query.level || query.rule || query.source || query.as_json)) {
        wrong("the archive holds lines, not alerts, so --level, --rule, --srcip and --json say nothing there; leave them out");
    }
    if (query.from && query.to && query.from >= query.to) {
        wrong("--from is not before --to; write an earlier one");
    }
    snprintf(folder, sizeof(folder), "%s/%s", logs, query.archive ? "archives" : "alerts");
    query.folder = folder;
}

static void print(const char *line, size_t length) { found += (size_t)line_matches(&query, line, length, stdout); }

static void keep(const char *line, size_t length)
{
    char *text = NULL;
    size_t size, place = in_ring % (size_t)query.tail;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        exit(EX_OSERR);
    }
    if (line_matches(&query, line, length, out)) {
        fclose(out);
        free(ring[place]);
        ring[place] = text;
        in_ring++;
    } else {
        fclose(out);
        free(text);
    }
}

static void read_file(const struct day_file *file, const char *needle)
{
    if (file_read(file->path, needle, query.tail ? keep : print) != 0 && errno != ENOENT) {
        fprintf(stderr, "ossec-log-server: search: %s: %s, so what it holds is not all here\n", file->path,
                errno == EBADMSG ? "it is damaged" : strerror(errno));
    }
}

/* From the newest file on, until there are enough. */
static void print_tail(const struct day_file *files, size_t count, const char *needle)
{
    char **lines = calloc((size_t)query.tail, sizeof(*lines));
    size_t room = (size_t)query.tail;

    ring = calloc((size_t)query.tail, sizeof(*ring));
    if (lines == NULL || ring == NULL) {
        exit(EX_OSERR);
    }
    while (count > 0 && room > 0) {
        size_t most = (size_t)query.tail, kept;

        in_ring = 0;
        read_file(&files[--count], needle);
        kept = in_ring < most ? in_ring : most;
        for (size_t n = 0; n < kept && room > 0; n++) { /* the newest of the file last */
            size_t place = (in_ring - 1 - n) % most;

            lines[--room] = ring[place];
            ring[place] = NULL;
        }
    }
    for (size_t n = room; n < (size_t)query.tail; n++) {
        fputs(lines[n], stdout);
        found++;
    }
}

int main(int argc, char **argv)
{
    static char buffer[1 << 16];
    struct day_file *files;
    size_t count;
    char *needle;

    read_options(argc, argv);
    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    needle = needle_of(&query);
    files = files_find(&query, &count);
    if (files == NULL) {
        exit(EX_OSERR);
    }
    if (query.tail > 0) {
        print_tail(files, count, needle);
    } else {
        for (size_t n = 0; n < count; n++) {
            read_file(&files[n], needle);
        }
    }
    if (fflush(stdout) != 0) {
        return EX_IOERR;
    }
    return found > 0 ? 0 : 1;
}
