#ifndef MASTRA_BASE_LOG_H
#define MASTRA_BASE_LOG_H

#include <apr_pools.h>
#include <apr_errno.h>

/* Levels as in httpd (APLOG_*): the numbers are the same. */
typedef enum {
    MASTRA_LOG_CRIT = 2, MASTRA_LOG_ERR = 3, MASTRA_LOG_WARNING = 4,
    MASTRA_LOG_NOTICE = 5, MASTRA_LOG_INFO = 6, MASTRA_LOG_DEBUG = 7,
    MASTRA_LOG_TRACE1 = 8, MASTRA_LOG_TRACE4 = 11
} mastra_log_level_e;

/* Number of a message, explained in docs/messages.md: each n once. */
#define MASTRA_ID(n) "MA" #n ": "

/* The two callbacks that the glue installs before threads exist. Without
 * them nothing is logged. Both may be called on any thread. */
typedef int (mastra_log_enabled_cb)(mastra_log_level_e level);
typedef void (mastra_log_write_cb)(mastra_log_level_e level, apr_status_t rv,
                                   const char *file, int line,
                                   const char *text);
void mastra_log_set(mastra_log_enabled_cb *enabled, mastra_log_write_cb *write);

/* mastra_log(MASTRA_LOG_ERR, rv, MASTRA_ID(7) "cannot open %s", path);
 * rv 0: no status. Never pass secrets or bodies. */
void mastra_log_at(mastra_log_level_e level, apr_status_t rv, const char *file,
                   int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
#define mastra_log(level, rv, ...) \
    mastra_log_at(level, rv, __FILE__, __LINE__, __VA_ARGS__)

#endif
