/* FOLDER/2026/Nov/ossec-NAME-23.ENDING, with a second name in FOLDER. */
#include "getloglocation.h"

#include "shared.h"

FILE *_eflog, *_aflog, *_fflog, *_jflog;

static const struct {
    const char *folder, *name, *ending, *second_name;
    FILE **file;
} files[] = {
    {ARCHIVES, "archive", "log", "archives.log", &_eflog},
    {ALERTS, "alerts", "log", "alerts.log", &_aflog},
    {ALERTS, "alerts", "json", "alerts.json", &_jflog},
    {"/logs/firewall", "firewall", "log", "firewall.log", &_fflog},
};

int OS_GetLogLocation(const Eventinfo *lf)
{
    const struct tm *now = localtime(&lf->time);
    char month[16], path[128], second[128];

    strftime(month, sizeof(month), "%Y/%b", now);
    for (size_t n = 0; n < sizeof(files) / sizeof(files[0]); n++) {
        if (*files[n].file != NULL) {
            fclose(*files[n].file);
        }
        snprintf(path, sizeof(path), "%s/%.4s", files[n].folder, month);
        mkdir(path, 0770); /* if it fails, so does opening the file */
        snprintf(path, sizeof(path), "%s/%s", files[n].folder, month);
        mkdir(path, 0770);
        snprintf(path, sizeof(path), "%s/%s/ossec-%s-%02d.%s", files[n].folder, month, files[n].name, now->tm_mday,
                 files[n].ending);
        snprintf(second, sizeof(second), "%s/%s", files[n].folder, files[n].second_name);
        *files[n].file = fopen(path, "a");
        unlink(second);
        if (*files[n].file == NULL || link(path, second) != 0) {
            return -1;
        }
    }
    return 0;
}
