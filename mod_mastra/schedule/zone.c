/* Time zones, from the files of the tz database that the system keeps up to
 * date (RFC 8536): libraries that bring a copy of their own age with it. */

#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "cron.h"

#define FOLDER "/usr/share/zoneinfo/"
#define MACHINE "/etc/localtime"
#define MAX_FILE (128 * 1024)
#define MAX_NAME 80
#define HEADER 44
#define HOUR 3600
#define DAY (24 * HOUR)

/* When a half of the year begins: the week'th weekday of a month ("M3.5.0/2"),
 * or a day of the year ("J60", "59"). */
typedef struct {
    int kind;                        /* 'M', 'J', 'n' */
    int month, week, day;
    int time;                        /* seconds, may be beyond the day */
} change_t;

struct mastra_zone_t {
    int n;
    const apr_int64_t *at;           /* times of changes, ascending */
    const int *offset;               /* from then on */
    int first;                       /* before them */
    /* after them, as the rule at the end of the file says */
    int has_rule, has_dst;
    int standard, summer;
    change_t start, end;
};

/* ---- the calendar ---- */

apr_int64_t mastra_day_number(int year, int month, int day)
{
    apr_int64_t y = month <= 2 ? year - 1 : year;
    apr_int64_t era = (y >= 0 ? y : y - 399) / 400;
    apr_int64_t of_era = y - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year
           - 719468;
}

mastra_day_t mastra_day_of(apr_int64_t number)
{
    apr_int64_t z = number + 719468;
    apr_int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int of_era = (int)(z - era * 146097);
    int y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * y + y / 4 - y / 100);
    int mp = (5 * of_year + 2) / 153;
    mastra_day_t day;

    day.day = of_year - (153 * mp + 2) / 5 + 1;
    day.month = mp < 10 ? mp + 3 : mp - 9;
    day.year = (int)(y + era * 400) + (day.month <= 2);
    return day;
}

int mastra_day_last(int year, int month)
{
    return (int)((month == 12 ? mastra_day_number(year + 1, 1, 1)
                              : mastra_day_number(year, month + 1, 1))
                 - mastra_day_number(year, month, 1));
}

int mastra_day_weekday(apr_int64_t number)
{
    return (int)(((number + 4) % 7 + 7) % 7);
}

/* ---- the rule: POSIX's TZ, as "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static int skip_name(const char **ptext)
{
    const char *p = *ptext;

    if (*p == '<') {
        p = strchr(p, '>');
        if (!p) {
            return 0;
        }
        *ptext = p + 1;
        return 1;
    }
    while (apr_isalpha(*p)) {
        p++;
    }
    if (p == *ptext) {
        return 0;
    }
    *ptext = p;
    return 1;
}

static int read_number(int *pn, const char **ptext)
{
    char *end;

    if (!apr_isdigit(**ptext)) {
        return 0;
    }
    *pn = (int)strtol(*ptext, &end, 10);
    *ptext = end;
    return *pn <= 1000;
}

/* "-3:30" */
static int read_time(int *pseconds, const char **ptext)
{
    int sign = 1, part, unit = HOUR;

    if (**ptext == '-' || **ptext == '+') {
        sign = *(*ptext)++ == '-' ? -1 : 1;
    }
    *pseconds = 0;
    do {
        if (!read_number(&part, ptext)) {
            return 0;
        }
        *pseconds += sign * part * unit;
        unit /= 60;
    } while (unit && **ptext == ':' && (*ptext)++);
    return 1;
}

static int read_change(change_t *change, const char **ptext)
{
    if (*(*ptext)++ != ',') {
        return 0;
    }
    change->kind = **ptext == 'M' || **ptext == 'J' ? *(*ptext)++ : 'n';
    if (change->kind == 'M') {
        if (!read_number(&change->month, ptext) || *(*ptext)++ != '.'
            || !read_number(&change->week, ptext) || *(*ptext)++ != '.') {
            return 0;
        }
    }
    if (!read_number(&change->day, ptext)) {
        return 0;
    }
    change->time = 2 * HOUR;
    if (**ptext == '/') {
        (*ptext)++;
        return read_time(&change->time, ptext);
    }
    return 1;
}

/* The text counts from Greenwich westwards. */
static int read_rule(mastra_zone_t *zone, const char *text)
{
    int west;

    if (!skip_name(&text) || !read_time(&west, &text)) {
        return 0;
    }
    zone->standard = -west;
    if (!*text) {
        return 1;
    }
    if (!skip_name(&text)) {
        return 0;
    }
    zone->summer = zone->standard + HOUR;
    if (*text != ',') {
        if (!read_time(&west, &text)) {
            return 0;
        }
        zone->summer = -west;
    }
    zone->has_dst = read_change(&zone->start, &text)
                    && read_change(&zone->end, &text) && !*text;
    return zone->has_dst;
}

/* Seconds of the epoch, had the zone no offset. */
static apr_int64_t change_in(const change_t *change, int year)
{
    apr_int64_t day = mastra_day_number(year, 1, 1);

    if (change->kind == 'M') {
        apr_int64_t first = mastra_day_number(year, change->month, 1);
        int last = mastra_day_last(year, change->month);
        int of_month = (change->day - mastra_day_weekday(first) + 7) % 7
                       + 7 * (change->week - 1);

        day = first + (of_month < last ? of_month : of_month - 7);
    }
    else if (change->kind == 'J') {
        int leap = mastra_day_last(year, 2) == 29;

        day += change->day - 1 + (leap && change->day >= 60);
    }
    else {
        day += change->day;
    }
    return day * DAY + change->time;
}

static int rule_offset(const mastra_zone_t *zone, apr_int64_t at)
{
    apr_int64_t local = at + zone->standard, start, end;
    int year;

    if (!zone->has_dst) {
        return zone->standard;
    }
    year = mastra_day_of((local >= 0 ? local : local - DAY + 1) / DAY).year;
    start = change_in(&zone->start, year) - zone->standard;
    end = change_in(&zone->end, year) - zone->summer;
    if (start < end ? at >= start && at < end : at >= start || at < end) {
        return zone->summer;
    }
    return zone->standard;
}

/* ---- files ---- */

static apr_int64_t big_endian(const unsigned char *p, int n)
{
    apr_uint64_t value = p[0] & 0x80 ? ~(apr_uint64_t)0 : 0;
    int i;

    for (i = 0; i < n; i++) {
        value = value << 8 | p[i];
    }
    return (apr_int64_t)value;
}

/* The counts of a header, in the order of the file. */
enum { UT, STD, LEAP, TIMES, TYPES, CHARS, COUNTS };

static int read_header(int counts[COUNTS], const unsigned char *p,
                       apr_size_t len)
{
    int i;

    if (len < HEADER || memcmp(p, "TZif", 4) || p[4] < '2') {
        return 0;
    }
    for (i = 0; i < COUNTS; i++) {
        apr_int64_t n = big_endian(p + 20 + 4 * i, 4);

        if (n < 0 || n > MAX_FILE) {
            return 0;
        }
        counts[i] = (int)n;
    }
    return 1;
}

static apr_size_t size_of(const int counts[COUNTS], int width)
{
    return (apr_size_t)counts[TIMES] * (width + 1) + (apr_size_t)counts[TYPES]
           * 6 + counts[CHARS] + (apr_size_t)counts[LEAP] * (width + 4)
           + counts[STD] + counts[UT];
}

/* The second part of a file, with times of 64 bits. */
static int read_times(mastra_zone_t *zone, const unsigned char *p,
                      const int counts[COUNTS], apr_pool_t *pool)
{
    const unsigned char *which = p + 8 * counts[TIMES];
    const unsigned char *types = which + counts[TIMES];
    apr_int64_t *at = apr_palloc(pool, sizeof(*at) * (counts[TIMES] + 1));
    int *offset = apr_palloc(pool, sizeof(*offset) * (counts[TIMES] + 1)), i;

    for (i = 0; i < counts[TIMES]; i++) {
        if (which[i] >= counts[TYPES]) {
            return 0;
        }
        at[i] = big_endian(p + 8 * i, 8);
        offset[i] = (int)big_endian(types + 6 * which[i], 4);
    }
    zone->n = counts[TIMES];
    zone->at = at;
    zone->offset = offset;
    zone->first = (int)big_endian(types, 4);
    return 1;
}

static int read_zone(mastra_zone_t *zone, const char *data, apr_size_t len,
                     apr_pool_t *pool)
{
    const unsigned char *p = (const unsigned char *)data, *end = p + len;
    const char *rule, *stop;
    int counts[COUNTS];
    apr_size_t size;

    if (!read_header(counts, p, len)) {
        return 0;
    }
    size = HEADER + size_of(counts, 4);
    if (size > len || !read_header(counts, p + size, len - size)) {
        return 0;
    }
    p += size + HEADER;
    size = size_of(counts, 8);
    /* leap seconds: its clock is not the one of everybody */
    if (size > (apr_size_t)(end - p) || !counts[TYPES] || counts[LEAP]
        || !read_times(zone, p, counts, pool)) {
        return 0;
    }
    rule = (const char *)p + size;
    if (rule >= (const char *)end || *rule++ != '\n') {
        return 0;
    }
    stop = memchr(rule, '\n', (const char *)end - rule);
    if (!stop) {
        return 0;
    }
    zone->has_rule = stop > rule;
    return !zone->has_rule
           || read_rule(zone, apr_pstrmemdup(pool, rule, stop - rule));
}

static apr_status_t read_file(char **pdata, apr_size_t *plen,
                              const char *path, apr_pool_t *pool)
{
    apr_file_t *file;
    apr_status_t rv = apr_file_open(&file, path,
                                    APR_FOPEN_READ | APR_FOPEN_BINARY,
                                    APR_FPROT_OS_DEFAULT, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pdata = apr_palloc(pool, MAX_FILE);
    rv = apr_file_read_full(file, *pdata, MAX_FILE, plen);
    apr_file_close(file);
    return APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
}

/* Letters, digits and a few signs, with single slashes inside: no way out of
 * the folder. */
static int is_name(const char *name)
{
    apr_size_t i, len = strlen(name);

    if (!len || len > MAX_NAME || !apr_isalpha(*name)
        || name[len - 1] == '/') {
        return 0;
    }
    for (i = 0; i < len; i++) {
        if (!apr_isalnum(name[i]) && !strchr("/_+-", name[i])) {
            return 0;
        }
    }
    return !strstr(name, "//");
}

static int read_two(const char *p)
{
    return apr_isdigit(p[0]) && apr_isdigit(p[1])
               ? (p[0] - '0') * 10 + p[1] - '0' : 60;
}

/* "+02", "+0200", "+02:00": seconds east of Greenwich. 0: it is none. */
static int read_offset(int *pseconds, const char *name)
{
    apr_size_t len = strlen(name);
    int sign = *name == '-' ? -1 : 1, hours, minutes = 0;

    if ((*name != '+' && *name != '-')
        || (len != 3 && len != 5 && (len != 6 || name[3] != ':'))) {
        return 0;
    }
    hours = read_two(name + 1);
    if (len > 3) {
        minutes = read_two(name + len - 2);
    }
    *pseconds = sign * (hours * HOUR + minutes * 60);
    return hours < 24 && minutes < 60;
}

const char *mastra_zone_open(mastra_zone_t **pzone, const char *name,
                             apr_pool_t *pool)
{
    mastra_zone_t *zone = apr_pcalloc(pool, sizeof(*zone));
    const char *path = name ? apr_pstrcat(pool, FOLDER, name, NULL) : MACHINE;
    apr_size_t len = 0;
    apr_status_t rv;
    char *data;

    if (name && read_offset(&zone->standard, name)) {
        zone->has_rule = 1;
        *pzone = zone;
        return NULL;
    }
    if (name && !is_name(name)) {
        return apr_psprintf(pool, "Invalid time zone specified: %s", name);
    }
    rv = read_file(&data, &len, path, pool);
    if ((rv != APR_SUCCESS || !len)
        && (!name || !strcmp(name, "UTC") || !strcmp(name, "Etc/UTC"))) {
        /* a machine without the database still knows this one */
        *pzone = zone;
        return NULL;
    }
    if (rv != APR_SUCCESS || !read_zone(zone, data, len, pool)) {
        return apr_psprintf(pool, "Invalid time zone specified: %s",
                            name ? name : MACHINE);
    }
    *pzone = zone;
    return NULL;
}

int mastra_zone_offset(const mastra_zone_t *zone, apr_int64_t at)
{
    int low = 0, high = zone->n;

    if (zone->has_rule && (!zone->n || at >= zone->at[zone->n - 1])) {
        return rule_offset(zone, at);
    }
    while (low < high) {
        int middle = (low + high) / 2;

        if (zone->at[middle] <= at) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low ? zone->offset[low - 1] : zone->first;
}
