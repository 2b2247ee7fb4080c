#define _GNU_SOURCE
#include "settings.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *part(CURLU *url, CURLUPart which, unsigned flags)
{
    char *found = NULL, *copy = NULL;

    if (curl_url_get(url, which, &found, flags) == CURLUE_OK && found != NULL) {
        copy = strdup(found);
        curl_free(found);
    }
    return copy;
}

static int take_url(struct settings *s, const char *text)
{
    CURLU *url = curl_url();
    char *scheme, *host, *port;
    int result = -1;

    if (url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) {
        s->user = part(url, CURLUPART_USER, CURLU_URLDECODE);
        s->password = part(url, CURLUPART_PASSWORD, CURLU_URLDECODE);
        curl_url_set(url, CURLUPART_USER, NULL, 0);
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
        curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
        s->url = part(url, CURLUPART_URL, 0);
        scheme = part(url, CURLUPART_SCHEME, 0);
        host = part(url, CURLUPART_HOST, 0);
        port = part(url, CURLUPART_PORT, 0);
        result = scheme != NULL && host != NULL &&
                         asprintf(&s->name, "%s://%s%s%s", scheme, host, port ? ":" : "", port ? port : "") > 0 ? 0 : -1;
        free(scheme);
        free(host);
        free(port);
    }
    curl_url_cleanup(url);
    return result;
}

static int take(struct settings *s, const char *name, const char *value)
{
    if (strcmp(name, "url") == 0) {
        return take_url(s, value);
    }
    if (strcmp(name, "level") == 0) {
        s->level = strtol(value, NULL, 10);
    } else if (strcmp(name, "per_hour") == 0) {
        s->per_hour = strtol(value, NULL, 10);
    } else if (strcmp(name, "authorities") == 0) {
        s->authorities = strdup(value);
    } else if (strcmp(name, "header") == 0) {
        char **more = realloc(s->headers, (s->header_count + 1) * sizeof(*more));

        if (more == NULL) {
            return -1;
        }
        s->headers = more;
        s->headers[s->header_count++] = strdup(value);
    } else {
        return -1;
    }
    return 0;
}

int settings_read(struct settings *s, const char *path, char *why, size_t size)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int result = 0;

    if (file == NULL) {
        snprintf(why, size, "%s: %s", path, strerror(errno));
        return -1;
    }
    while (result == 0 && (length = getline(&line, &room, file)) > 0) {
        char *value = strchr(line, ' ');

        line[length - 1] = line[length - 1] == '\n' ? '\0' : line[length - 1];
        if (value != NULL) {
            *value = '\0';
            result = take(s, line, value + 1);
        }
        if (value == NULL || result != 0) {
            snprintf(why, size, "%s: its line of '%.40s' cannot be used", path, line);
            result = -1;
        }
    }
    if (result == 0 && s->url == NULL) {
        snprintf(why, size, "%s: it has no url", path);
        result = -1;
    }
    free(line);
    fclose(file);
    return result;
}
