/* Cron expressions and time zones: a table of expressions, zones and the times
 * that follow, with the days on which clocks change. */

#include <stdlib.h>
#include <time.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/text.h"
#include "schedule/cron.h"
#include "tap.h"

static apr_pool_t *pool;

static apr_int64_t ms_of(const char *iso)
{
    apr_time_t t = 0;

    mastra_text_iso_parse(&t, iso);
    return t / 1000;
}

/* The first times after from, "2026-03-29T01:30Z …" without what is 00. */
static const char *times(const char *cron_text, const char *zone_name,
                         const char *from, int n)
{
    mastra_cron_t *cron;
    mastra_zone_t *zone;
    const char *wrong = mastra_cron_parse(&cron, cron_text, pool);
    const char *made = "";
    apr_int64_t at = ms_of(from);
    int i;

    if (!wrong) {
        wrong = mastra_zone_open(&zone, zone_name, pool);
    }
    if (wrong) {
        return wrong;
    }
    for (i = 0; i < n; i++) {
        char iso[MASTRA_ISO_LEN + 1];

        at = mastra_cron_next(cron, zone, at);
        if (!at) {
            return apr_pstrcat(pool, made, i ? " " : "", "none", NULL);
        }
        mastra_text_iso(iso, at * 1000);
        made = apr_pstrcat(pool, made, i ? " " : "",
                           apr_pstrndup(pool, iso, strlen(iso) - 5), NULL);
    }
    return made;
}

static const struct {
    const char *cron, *zone, *from;
    int n;
    const char *want;
} cases[] = {
    /* plain fields */
    { "* * * * *", "UTC", "2026-01-01T00:00:00Z", 2,
      "2026-01-01T00:01:00 2026-01-01T00:02:00" },
    { "* * * * *", "UTC", "2026-01-01T00:00:59.999Z", 1,
      "2026-01-01T00:01:00" },
    { "0 0 * * *", "UTC", "2026-01-01T00:00:00Z", 2,
      "2026-01-02T00:00:00 2026-01-03T00:00:00" },
    { "5 4 * * *", "UTC", "2026-02-28T04:05:00Z", 1, "2026-03-01T04:05:00" },
    { "0,30 8-9 * * *", "UTC", "2026-01-01T08:00:00Z", 4,
      "2026-01-01T08:30:00 2026-01-01T09:00:00 2026-01-01T09:30:00 "
      "2026-01-02T08:00:00" },
    { "0-30/10 * * * *", "UTC", "2026-01-01T00:00:00Z", 4,
      "2026-01-01T00:10:00 2026-01-01T00:20:00 2026-01-01T00:30:00 "
      "2026-01-01T01:00:00" },
    { "*/60 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "2026-01-01T01:00:00" },
    { "00 007 * * *", "UTC", "2026-01-01T00:00:30Z", 1,
      "2026-01-01T07:00:00" },
    { " 0  0 * *\t* ", "UTC", "2026-01-01T00:00:30Z", 1,
      "2026-01-02T00:00:00" },
    { "? * * * *", "UTC", "2026-01-01T00:00:30Z", 1, "2026-01-01T00:01:00" },
    /* months */
    { "0 0 1 jan,JUN *", "UTC", "2026-01-01T00:00:30Z", 2,
      "2026-06-01T00:00:00 2027-01-01T00:00:00" },
    { "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2,
      "2028-02-29T00:00:00 2032-02-29T00:00:00" },
    { "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1, "2104-02-29T00:00:00" },
    { "0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", 1, "none" },
    { "0 0 31 4 *", "UTC", "2026-01-01T00:00:00Z", 1, "none" },
    { "0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", 2,
      "2026-03-31T00:00:00 2026-05-31T00:00:00" },
    /* weekdays */
    { "0 0 * * 7", "UTC", "2026-01-01T00:00:00Z", 2,
      "2026-01-04T00:00:00 2026-01-11T00:00:00" },
    { "0 0 * * 0", "UTC", "2026-01-01T00:00:00Z", 1, "2026-01-04T00:00:00" },
    { "0 0 * * SUN-TUE", "UTC", "2026-01-01T00:00:00Z", 4,
      "2026-01-04T00:00:00 2026-01-05T00:00:00 2026-01-06T00:00:00 "
      "2026-01-11T00:00:00" },
    { "0 0 * * 5-7", "UTC", "2026-01-01T00:00:00Z", 4,
      "2026-01-02T00:00:00 2026-01-03T00:00:00 2026-01-04T00:00:00 "
      "2026-01-09T00:00:00" },
    { "0 0 * * 5#2", "UTC", "2026-01-01T00:00:00Z", 2,
      "2026-01-09T00:00:00 2026-02-13T00:00:00" },
    { "0 0 * * 5L", "UTC", "2026-01-01T00:00:00Z", 2,
      "2026-01-30T00:00:00 2026-02-27T00:00:00" },
    /* both kinds of days */
    { "0 0 13 * 5", "UTC", "2026-01-01T00:00:00Z", 4,
      "2026-01-02T00:00:00 2026-01-09T00:00:00 2026-01-13T00:00:00 "
      "2026-01-16T00:00:00" },
    { "0 0 */5 * 1", "UTC", "2026-01-01T00:00:30Z", 3,
      "2026-01-05T00:00:00 2026-01-06T00:00:00 2026-01-11T00:00:00" },
    { "0 0 1 * +1", "UTC", "2026-01-01T00:00:00Z", 2,
      "2026-06-01T00:00:00 2027-02-01T00:00:00" },
    { "0 0 29 2 +1", "UTC", "2026-01-01T00:00:00Z", 1,
      "2044-02-29T00:00:00" },
    /* ends of months and workdays */
    { "0 0 L * *", "UTC", "2026-01-01T00:00:00Z", 3,
      "2026-01-31T00:00:00 2026-02-28T00:00:00 2026-03-31T00:00:00" },
    { "0 0 LW * *", "UTC", "2026-01-01T00:00:00Z", 4,
      "2026-01-30T00:00:00 2026-02-27T00:00:00 2026-03-31T00:00:00 "
      "2026-04-30T00:00:00" },
    { "0 0 15W * *", "UTC", "2026-01-01T00:00:00Z", 3,
      "2026-01-15T00:00:00 2026-02-16T00:00:00 2026-03-16T00:00:00" },
    { "0 0 1W * *", "UTC", "2026-07-15T00:00:00Z", 1, "2026-08-03T00:00:00" },
    /* seconds, years, names of whole expressions */
    { "*/10 * * * * *", "UTC", "2026-01-01T00:00:00Z", 2,
      "2026-01-01T00:00:10 2026-01-01T00:00:20" },
    { "0 0 0 1 1 * 2028", "UTC", "2026-01-01T00:00:00Z", 2,
      "2028-01-01T00:00:00 none" },
    { "0 0 0 1 1 * 2525", "UTC", "2026-01-01T00:00:00Z", 1,
      "2525-01-01T00:00:00" },
    { "@daily", "UTC", "2026-01-01T00:00:00Z", 1, "2026-01-02T00:00:00" },
    { "@WEEKLY", "UTC", "2026-01-01T00:00:00Z", 1, "2026-01-04T00:00:00" },
    { "@annually", "UTC", "2026-01-01T00:00:00Z", 1, "2027-01-01T00:00:00" },
    { "@hourly", "UTC", "2026-01-01T00:00:00Z", 1, "2026-01-01T01:00:00" },
    /* zones */
    { "0 9 * * *", "America/New_York", "2026-01-15T00:00:00Z", 1,
      "2026-01-15T14:00:00" },
    { "0 9 * * *", "America/New_York", "2026-07-15T00:00:00Z", 1,
      "2026-07-15T13:00:00" },
    { "0 9 * * *", "Asia/Kolkata", "2026-07-15T00:00:00Z", 1,
      "2026-07-15T03:30:00" },
    { "0 0 * * *", "EST5EDT", "2026-01-01T00:00:00Z", 1,
      "2026-01-01T05:00:00" },
    { "0 0 * * *", "Pacific/Kiritimati", "2026-01-01T00:00:00Z", 1,
      "2026-01-01T10:00:00" },
    { "0 0 1 * *", "Pacific/Kiritimati", "2026-01-01T00:00:00Z", 1,
      "2026-01-31T10:00:00" },
    /* the rules of today, not those that a library was built with */
    { "0 9 * * *", "America/Mexico_City", "2026-07-15T00:00:00Z", 1,
      "2026-07-15T15:00:00" },
    { "0 9 * * *", "Africa/Cairo", "2026-07-15T00:00:00Z", 1,
      "2026-07-15T06:00:00" },
    /* what no table of changes reaches: the rule at the end of the file */
    { "0 9 1 * *", "Europe/Berlin", "2060-06-15T00:00:00Z", 6,
      "2060-07-01T07:00:00 2060-08-01T07:00:00 2060-09-01T07:00:00 "
      "2060-10-01T07:00:00 2060-11-01T08:00:00 2060-12-01T08:00:00" },
    { "0 9 1 1,7 *", "Australia/Sydney", "2060-06-15T00:00:00Z", 2,
      "2060-06-30T23:00:00 2060-12-31T22:00:00" },
    { "0 9 1 1,7 *", "America/New_York", "2060-06-15T00:00:00Z", 2,
      "2060-07-01T13:00:00 2061-01-01T14:00:00" },
    /* a time that clocks skip comes later by what they skip */
    { "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3,
      "2026-03-29T01:30:00 2026-03-30T00:30:00 2026-03-31T00:30:00" },
    { "0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2,
      "2026-03-29T01:00:00 2026-03-29T02:00:00" },
    { "*/15 * * * *", "Europe/Berlin", "2026-03-29T00:40:00Z", 4,
      "2026-03-29T00:45:00 2026-03-29T01:00:00 2026-03-29T01:15:00 "
      "2026-03-29T01:30:00" },
    { "*/15 2 * * *", "Europe/Berlin", "2026-03-28T22:40:00Z", 2,
      "2026-03-29T01:00:00 2026-03-30T00:00:00" },
    { "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2,
      "2026-10-03T15:45:00 2026-10-04T15:15:00" },
    { "30 2 8 3 *", "America/New_York", "2026-03-01T00:00:00Z", 1,
      "2026-03-08T07:30:00" },
    { "0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", 2,
      "2026-09-06T04:00:00 2026-09-07T03:00:00" },
    /* a time that they show twice counts the first time */
    { "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2,
      "2026-10-25T00:30:00 2026-10-26T01:30:00" },
    { "*/20 * * * *", "Europe/Berlin", "2026-10-24T23:50:00Z", 5,
      "2026-10-25T00:00:00 2026-10-25T00:20:00 2026-10-25T00:40:00 "
      "2026-10-25T02:00:00 2026-10-25T02:20:00" },
    { "*/20 * * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1,
      "2026-10-25T02:00:00" },
    { "0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 1,
      "2026-10-25T02:00:00" },
    { "45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", 2,
      "2026-04-04T14:45:00 2026-04-05T15:15:00" },
    { "30 1 1 11 *", "America/New_York", "2026-10-01T00:00:00Z", 1,
      "2026-11-01T05:30:00" },
    /* what is refused */
    { "zzz", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: invalid configuration format ('zzz'), exactly five, six, "
      "or seven space separated parts are required." },
    { "", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: invalid configuration format (''), exactly five, six, or "
      "seven space separated parts are required." },
    { "60 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: Invalid value for minute: '60'" },
    { "* 24 * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: Invalid value for hour: '24'" },
    { "* * 0 * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: Invalid value for day: '0'" },
    { "* * * 13 *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: Invalid value for month: '13'" },
    { "* * * * 8", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: Invalid value for dayOfWeek: '8'" },
    { "5-1 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: from value is larger than to value for minute: '5-1'" },
    { "0 22-2 * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: from value is larger than to value for hour: '22-2'" },
    { "5/15 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: stepping with a numeric prefix is not allowed for minute: "
      "'5/15'" },
    { "/15 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: illegal characters for minute: '/15'" },
    { "*/0 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: illegal stepping for minute: '*/0'" },
    { "*/90 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: steps cannot be greater than the range for minute: "
      "'*/90'" },
    { "1,,2 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: empty entry for minute: ''" },
    { "1.5 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: illegal characters for minute: '1.5'" },
    { "-1 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: illegal characters for minute: '-1'" },
    { "0 0 1 january *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: illegal characters for month: 'january'" },
    { "99999999999999999999 * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: illegal characters for minute: '99999999999999999999'" },
    { "* * * * * * * *", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: invalid configuration format ('* * * * * * * *'), exactly "
      "five, six, or seven space separated parts are required." },
    { "@reboot", "UTC", "2026-01-01T00:00:00Z", 1,
      "CronPattern: invalid configuration format ('@reboot'), exactly five, "
      "six, or seven space separated parts are required." },
    { "0 0 * * *", "Nowhere/City", "2026-01-01T00:00:00Z", 1,
      "Invalid time zone specified: Nowhere/City" },
    { "0 0 * * *", "+24:00", "2026-01-01T00:00:00Z", 1,
      "Invalid time zone specified: +24:00" },
    { "0 0 * * *", "+2", "2026-01-01T00:00:00Z", 1,
      "Invalid time zone specified: +2" },
    { "0 0 * * *", "+02:00", "2026-01-01T00:00:00Z", 1,
      "2026-01-01T22:00:00" },
    { "30 9 * * *", "-0330", "2026-01-01T00:00:00Z", 2,
      "2026-01-01T13:00:00 2026-01-02T13:00:00" },
    { "0 0 * * *", "../../etc/passwd", "2026-01-01T00:00:00Z", 1,
      "Invalid time zone specified: ../../etc/passwd" },
    { "0 0 * * *", "Europe", "2026-01-01T00:00:00Z", 1,
      "Invalid time zone specified: Europe" },
    { "0 0 * * *", "tzdata.zi", "2026-01-01T00:00:00Z", 1,
      "Invalid time zone specified: tzdata.zi" },
    { "0 0 * * *", "right/UTC", "2026-01-01T00:00:00Z", 1,
      "Invalid time zone specified: right/UTC" },
    { NULL }
};

/* The C library's idea of each zone, hour by hour, over years: it is asked in
 * this program only, where its one zone may be changed. */
static void against_the_library(const char *name)
{
    mastra_zone_t *zone;
    apr_int64_t at, wrong = 0;

    setenv("TZ", apr_pstrcat(pool, ":", name, NULL), 1);
    tzset();
    if (mastra_zone_open(&zone, name, pool)) {
        ok(0, name);
        return;
    }
    for (at = 0; at < (apr_int64_t)100 * 366 * 86400 && !wrong;
         at += 6 * 3600) {
        time_t t = (time_t)at;
        struct tm tm;

        localtime_r(&t, &tm);
        if (tm.tm_gmtoff != mastra_zone_offset(zone, at)) {
            wrong = at;
        }
    }
    is_int(wrong, 0, apr_pstrcat(pool, name, ": as the C library", NULL));
}

static void days(void)
{
    apr_int64_t n, wrong = 0;

    for (n = -800000; n < 2900000 && !wrong; n += 17) {
        mastra_day_t day = mastra_day_of(n);

        if (mastra_day_number(day.year, day.month, day.day) != n) {
            wrong = n;
        }
    }
    is_int(wrong, 0, "days of the calendar go there and back");
    is_int(mastra_day_number(2000, 2, 29), 11016, "a day of a leap year");
    is_int(mastra_day_weekday(0), 4, "1970 began with a Thursday");
}

int main(void)
{
    static const char *const names[] = {
        "UTC", "Europe/Berlin", "Europe/Dublin", "Europe/London",
        "America/New_York", "America/Santiago", "America/Sao_Paulo",
        "America/Nuuk", "America/Asuncion", "America/Mexico_City",
        "Africa/Cairo", "Africa/Casablanca", "Asia/Tehran", "Asia/Gaza",
        "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham",
        "Pacific/Apia", "Antarctica/Troll", NULL
    };
    int i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; cases[i].cron; i++) {
        is_str(times(cases[i].cron, cases[i].zone, cases[i].from, cases[i].n),
               cases[i].want, apr_psprintf(pool, "%s %s after %s",
                                           cases[i].cron, cases[i].zone,
                                           cases[i].from));
    }
    days();
    for (i = 0; names[i]; i++) {
        against_the_library(names[i]);
    }
    return tap_done();
}
