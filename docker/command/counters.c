#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "alert_files.h"
#include "command.h"
#include "say.h"
#include "status.h"

#define PROMETHEUS "/usr/local/lib/ossec-log-server/metrics/prometheus"

int output_counters(const char *name, uint64_t *handed_on, uint64_t *waiting)
{
    static struct alert_files f; /* too large for the stack */
    char position[256];

    memset(&f, 0, sizeof(f));
    snprintf(position, sizeof(position), DATA "/queue/%s/position", name);
    if (access(position, F_OK) != 0) {
        return -1;
    }
    files_open(&f, ALERTS, position, 1);
    *handed_on = f.handed_on;
    *waiting = files_waiting(&f);
    return 0;
}

static void print_all(FILE *out, int as_json)
{
    static const char *const outputs[][3] = {{"output", "printed", "print_waiting_bytes"},
                                             {"forward", "forwarded", "forward_waiting_bytes"}};
    const char *form = as_json ? "%s\"%s\": %" PRIu64 : "%s%s %" PRIu64 "\n", *between = "";
    struct counter all[STATUS_COUNTERS + 4];
    size_t count = status_counters(all);

    for (int n = 0; n < 2; n++) {
        uint64_t handed_on, waiting;

        if (output_counters(outputs[n][0], &handed_on, &waiting) == 0) {
            all[count++] = (struct counter){outputs[n][1], handed_on};
            all[count++] = (struct counter){outputs[n][2], waiting};
        }
    }
    fputs(as_json ? "{" : "", out);
    for (size_t n = 0; n < count; n++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        fprintf(out, form, between, all[n].name, all[n].value);
#pragma GCC diagnostic pop
        between = as_json ? ", " : "";
    }
    fputs(as_json ? "}\n" : "", out);
}

int counters(enum counters_form form)
{
    FILE *out = stdout;
    int failed;

    if (!status_is_there()) {
        return EX_UNAVAILABLE;
    }
    if (form == COUNTERS_PROMETHEUS && (out = popen(PROMETHEUS, "w")) == NULL) {
        say(PROMETHEUS " cannot be run");
        return EX_UNAVAILABLE;
    }
    print_all(out, form == COUNTERS_JSON);
    failed = form == COUNTERS_PROMETHEUS ? pclose(out) : fflush(out);
    return failed ? 1 : 0;
}
