#ifndef MASTRA_SCHEDULE_CRON_H
#define MASTRA_SCHEDULE_CRON_H

#include <apr_pools.h>

/*
 * Cron expressions and time zones: pure functions over numbers, any thread but
 * the loop (a zone is read from a file). What is understood stands in
 * docs/schedules.md.
 */
typedef struct mastra_cron_t mastra_cron_t;
typedef struct mastra_zone_t mastra_zone_t;

/* NULL: fine; else what is wrong, a sentence in pool. */
const char *mastra_cron_parse(mastra_cron_t **pcron, const char *text,
                              apr_pool_t *pool);

/* A zone of the IANA database by name; NULL: the machine's own. NULL: fine;
 * else what is wrong. */
const char *mastra_zone_open(mastra_zone_t **pzone, const char *name,
                             apr_pool_t *pool);
/* Seconds east of Greenwich at a time (seconds of the epoch). */
int mastra_zone_offset(const mastra_zone_t *zone, apr_int64_t at);

/* The first time after "after" (both milliseconds of the epoch). 0: there is
 * none any more. A time that clocks skip comes as much later as they skip, one
 * that they show twice counts the first time only. */
apr_int64_t mastra_cron_next(const mastra_cron_t *cron,
                             const mastra_zone_t *zone, apr_int64_t after);

/* ---- days of the calendar, for both ---- */

typedef struct {
    int year, month, day;            /* month and day from 1 */
} mastra_day_t;
/* Days since 1970-01-01, and back. */
apr_int64_t mastra_day_number(int year, int month, int day);
mastra_day_t mastra_day_of(apr_int64_t number);
int mastra_day_last(int year, int month);
/* 0 is Sunday. */
int mastra_day_weekday(apr_int64_t number);

#endif
