/* What the engine writes. Everything is flushed at once, as others follow the files. */
#include "analysisd.h"
#include "to_json.h"
#include "shared.h"

/* FOLDER/2026/Nov/ossec-NAME-23.ENDING, with a second name in FOLDER. */
typedef struct DayFile {
    const char *folder, *name, *ending, *second_name;
    FILE *file;
    int day;
} DayFile;

static DayFile archives = {ARCHIVES, "archive", "log", "archives.log", NULL, 0};
static DayFile alerts = {ALERTS, "alerts", "log", "alerts.log", NULL, 0};
static DayFile json_alerts = {ALERTS, "alerts", "json", "alerts.json", NULL, 0};

static FILE *file_of(DayFile *which, time_t moment)
{
    const struct tm *now = localtime(&moment);
    char month[16], path[128], second[128];

    if (which->file != NULL && which->day == now->tm_mday) {
        return which->file;
    }
    if (which->file != NULL) {
        fclose(which->file);
    }
    strftime(month, sizeof(month), "%Y/%b", now);
    snprintf(path, sizeof(path), "%s/%.4s", which->folder, month);
    mkdir(path, 0770); /* if it fails, so does opening the file */
    snprintf(path, sizeof(path), "%s/%s", which->folder, month);
    mkdir(path, 0770);
    snprintf(path, sizeof(path), "%s/%s/ossec-%s-%02d.%s", which->folder, month, which->name, now->tm_mday, which->ending);
    snprintf(second, sizeof(second), "%s/%s", which->folder, which->second_name);
    which->day = now->tm_mday;
    which->file = fopen(path, "a");
    unlink(second);
    if (which->file == NULL || link(path, second) != 0) {
        fail("%s cannot be opened, or not linked to %s: %s", path, second, strerror(errno));
    }
    return which->file;
}

static void finish(DayFile *which)
{
    if (fflush(which->file) != 0) {
        fail("the day's file in %s cannot be written: %s", which->folder, strerror(errno));
    }
}

void write_archive(const Eventinfo *event)
{
    fprintf(file_of(&archives, event->time), "%s %s->%s %s\n", event->moment, event->hostname, event->location,
            event->full_log);
    finish(&archives);
}

void write_json_alert(const Eventinfo *event)
{
    char *object = Eventinfo_to_jsonstr(event);

    fprintf(file_of(&json_alerts, event->time), "%s\n", object);
    free(object);
    finish(&json_alerts);
}

void OS_Log(Eventinfo *lf)
{
    const Rule *rule = lf->generated_rule;
    FILE *file = file_of(&alerts, lf->time);

    fprintf(file, "** Alert %s:%s - %s\n%s %s->%s\nRule: %d (level %d) -> '%s'\n", lf->alert_id, lf->mail ? " mail " : "",
            rule->group, lf->moment, lf->hostname, lf->location, rule->id, rule->level, rule->comment);
    if (lf->srcip != NULL) {
        fprintf(file, "Src IP: %s\n", lf->srcip);
    }
    fprintf(file, "%s\n\n", lf->full_log);
    finish(&alerts);
}
