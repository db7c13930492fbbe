/* Log lines on their way to the two callbacks that the glue installs. */

#include <stdarg.h>
#include <stdio.h>

#include "log.h"

/* longer lines are cut, as httpd itself cuts them */
#define LINE_MAX_LEN 2048

static mastra_log_enabled_cb *log_enabled;
static mastra_log_write_cb *log_write;

void mastra_log_set(mastra_log_enabled_cb *enabled, mastra_log_write_cb *write)
{
    log_enabled = enabled;
    log_write = write;
}

void mastra_log_at(mastra_log_level_e level, apr_status_t rv, const char *file,
                   int line, const char *fmt, ...)
{
    char text[LINE_MAX_LEN];
    va_list ap;

    if (!log_write || (log_enabled && !log_enabled(level))) {
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_write(level, rv, file, line, text);
}
