/* Cron expressions: read into sets, and the next time that is in all of them. */

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "cron.h"

#define MAX_TEXT 400
#define LAST_YEAR 9999
#define DAY 86400
/* 29 February on a given weekday may be 40 years away */
#define HORIZON (100 * 366)

enum { SECOND, MINUTE, HOUR, MONTH_DAY, MONTH, WEEKDAY, YEAR, FIELDS };

static const struct {
    const char *name;
    int low, high;
} ranges[FIELDS] = {
    { "second", 0, 59 }, { "minute", 0, 59 }, { "hour", 0, 23 },
    { "day", 1, 31 }, { "month", 1, 12 }, { "dayOfWeek", 0, 7 },
    { "year", 1, LAST_YEAR }
};

struct mastra_cron_t {
    apr_uint64_t sets[YEAR];         /* bits */
    unsigned char years[LAST_YEAR / 8 + 1];
    int any[FIELDS];                 /* it is "*" */
    int both;                        /* "+": both kinds of days must fit */
    int last_day, last_workday;      /* "L", "LW" */
    apr_uint64_t near;               /* "15W" */
    int nth[7];                      /* "5#2": bits 1 to 5; "5L": bit 6 */
};

/* ---- reading ---- */

typedef struct {
    mastra_cron_t *cron;
    int field;
    const char *part;                /* of the list */
    apr_pool_t *pool;
} reader_t;

static const char *invalid(const reader_t *reader, const char *why)
{
    return apr_psprintf(reader->pool, "CronPattern: %s for %s: '%s'", why,
                        ranges[reader->field].name, reader->part);
}

static void add(reader_t *reader, int value)
{
    mastra_cron_t *cron = reader->cron;

    if (reader->field == YEAR) {
        cron->years[value / 8] |= (unsigned char)(1 << value % 8);
        return;
    }
    if (reader->field == WEEKDAY && value == 7) {
        value = 0;
    }
    cron->sets[reader->field] |= (apr_uint64_t)1 << value;
}

/* A name of a month or weekday, or digits. */
static int read_value(const reader_t *reader, int *pvalue, const char **ptext)
{
    static const char *const months[] = { "jan", "feb", "mar", "apr", "may",
                                          "jun", "jul", "aug", "sep", "oct",
                                          "nov", "dec", NULL };
    static const char *const days[] = { "sun", "mon", "tue", "wed", "thu",
                                        "fri", "sat", NULL };
    const char *const *names = reader->field == MONTH ? months
                               : reader->field == WEEKDAY ? days : NULL;
    int i;

    for (i = 0; names && names[i]; i++) {
        if (!strncasecmp(*ptext, names[i], 3)) {
            *ptext += 3;
            *pvalue = i + (reader->field == MONTH);
            return 1;
        }
    }
    for (i = 0, *pvalue = 0; apr_isdigit((*ptext)[i]); i++) {
        if (i == 6) {
            return 0;
        }
        *pvalue = *pvalue * 10 + (*ptext)[i] - '0';
    }
    *ptext += i;
    return i > 0;
}

static int in_range(const reader_t *reader, int value)
{
    return value >= ranges[reader->field].low
           && value <= ranges[reader->field].high;
}

/* "L", "LW", "15W"; 1: it was one of them. */
static int read_day(reader_t *reader, const char *rest, int value, int is_value)
{
    mastra_cron_t *cron = reader->cron;

    if (reader->field != MONTH_DAY) {
        return 0;
    }
    if (!is_value && !strcasecmp(rest, "L")) {
        cron->last_day = 1;
        return 1;
    }
    if (!is_value && !strcasecmp(rest, "LW")) {
        cron->last_workday = 1;
        return 1;
    }
    if (is_value && !strcasecmp(rest, "W")) {
        cron->near |= (apr_uint64_t)1 << value;
        return 1;
    }
    return 0;
}

/* "5#2", "5#L", "5L" */
static int read_weekday(reader_t *reader, const char *rest, int value)
{
    int *nth = &reader->cron->nth[value % 7];

    if (reader->field != WEEKDAY) {
        return 0;
    }
    if (!strcasecmp(rest, "L") || !strcasecmp(rest, "#L")) {
        *nth |= 1 << 6;
        return 1;
    }
    if (rest[0] == '#' && rest[1] >= '1' && rest[1] <= '5' && !rest[2]) {
        *nth |= 1 << (rest[1] - '0');
        return 1;
    }
    return 0;
}

static const char *read_step(reader_t *reader, const char *text, int low,
                             int high)
{
    const int field = reader->field;
    int step = 1, value, most = ranges[field].high - ranges[field].low + 1;

    if (*text == '/') {
        text++;
        if (!apr_isdigit(*text) || !read_value(reader, &step, &text)
            || !step) {
            return invalid(reader, "illegal stepping");
        }
        if (step > most) {
            return invalid(reader, "steps cannot be greater than the range");
        }
    }
    if (*text) {
        return invalid(reader, "illegal characters");
    }
    for (value = low; value <= high; value += step) {
        add(reader, value);
    }
    return NULL;
}

static const char *read_part(reader_t *reader)
{
    const char *text = reader->part;
    int low, high, is_value;

    if (*text == '*' || *text == '?') {
        low = ranges[reader->field].low;
        high = ranges[reader->field].high;
        /* Sunday is not there twice when stepping */
        return read_step(reader, text + 1, low,
                         reader->field == WEEKDAY ? 6 : high);
    }
    is_value = read_value(reader, &low, &text);
    if (is_value && !in_range(reader, low)) {
        return invalid(reader, "Invalid value");
    }
    if (read_day(reader, text, low, is_value)
        || (is_value && read_weekday(reader, text, low))) {
        return NULL;
    }
    if (!is_value) {
        return invalid(reader, *text ? "illegal characters" : "empty entry");
    }
    if (!*text) {
        add(reader, low);
        return NULL;
    }
    if (*text != '-') {
        return invalid(reader, *text == '/' ? "stepping with a numeric prefix "
                       "is not allowed" : "illegal characters");
    }
    text++;
    if (!read_value(reader, &high, &text) || !in_range(reader, high)) {
        return invalid(reader, "illegal upper range");
    }
    if (low > high) {
        return invalid(reader, "from value is larger than to value");
    }
    return read_step(reader, text, low, high);
}

static const char *read_field(mastra_cron_t *cron, int field, const char *text,
                              apr_pool_t *pool)
{
    reader_t reader = { cron, field, NULL, pool };
    const char *wrong = NULL, *comma;

    cron->any[field] = !strcmp(text, "*") || !strcmp(text, "?");
    if (field == WEEKDAY && *text == '+') {
        cron->both = 1;
        text++;
    }
    do {
        comma = strchr(text, ',');
        reader.part = comma ? apr_pstrmemdup(pool, text, comma - text)
                            : text;
        wrong = read_part(&reader);
        text = comma ? comma + 1 : NULL;
    } while (text && !wrong);
    return wrong;
}

static const char *nickname(const char *text)
{
    static const struct {
        const char *name, *meaning;
    } names[] = {
        { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" },
        { "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" },
        { "@daily", "0 0 * * *" }, { "@midnight", "0 0 * * *" },
        { "@hourly", "0 * * * *" }, { NULL }
    };
    int i;

    for (i = 0; names[i].name; i++) {
        if (!strcasecmp(text, names[i].name)) {
            return names[i].meaning;
        }
    }
    return text;
}

/* Fields from minute on when there are five, with seconds before them when
 * there are six, and a year after them when there are seven. */
const char *mastra_cron_parse(mastra_cron_t **pcron, const char *text,
                              apr_pool_t *pool)
{
    mastra_cron_t *cron = apr_pcalloc(pool, sizeof(*cron));
    char *copy, *state, *word, *words[FIELDS + 1];
    const char *wrong = NULL;
    int i, n = 0;

    if (strlen(text) > MAX_TEXT) {
        return "CronPattern: the expression is too long";
    }
    copy = apr_pstrdup(pool, text);
    for (word = apr_strtok(copy, " \t\r\n", &state); word && n <= FIELDS;
         word = apr_strtok(NULL, " \t\r\n", &state)) {
        words[n++] = word;
    }
    if (n == 1 && *words[0] == '@') {
        const char *meaning = nickname(words[0]);

        if (meaning != words[0]) {
            return mastra_cron_parse(pcron, meaning, pool);
        }
    }
    if (n < 5 || n > FIELDS) {
        return apr_psprintf(pool, "CronPattern: invalid configuration format "
                            "('%s'), exactly five, six, or seven space "
                            "separated parts are required.", text);
    }
    for (i = 0; i < FIELDS && !wrong; i++) {
        const char *field = n == 5 ? (i == SECOND ? "0" : i == YEAR ? "*"
                                      : words[i - 1])
                            : i == YEAR && n == 6 ? "*" : words[i];

        wrong = read_field(cron, i, field, pool);
    }
    if (!wrong) {
        *pcron = cron;
    }
    return wrong;
}

/* ---- days ---- */

static int workday(apr_int64_t number)
{
    int weekday = mastra_day_weekday(number);

    return weekday && weekday != 6;
}

/* The workday next to a day of the month, in the same month. */
static int nearest(mastra_day_t day, int wanted)
{
    int last = mastra_day_last(day.year, day.month);
    int weekday;

    if (wanted > last) {
        return 0;
    }
    weekday = mastra_day_weekday(mastra_day_number(day.year, day.month,
                                                   wanted));
    if (weekday == 6) {
        return wanted > 1 ? wanted - 1 : wanted + 2;
    }
    if (weekday == 0) {
        return wanted < last ? wanted + 1 : wanted - 2;
    }
    return wanted;
}

static int fits_month_day(const mastra_cron_t *cron, mastra_day_t day,
                          apr_int64_t number)
{
    int last = mastra_day_last(day.year, day.month), i;

    if (cron->sets[MONTH_DAY] >> day.day & 1
        || (cron->last_day && day.day == last)) {
        return 1;
    }
    if (cron->last_workday && workday(number)) {
        int left = last - day.day;

        /* only days of a weekend come after it */
        if (!left || (left <= 2 && mastra_day_weekday(number) == 5)) {
            return 1;
        }
    }
    for (i = 1; cron->near >> i; i++) {
        if (cron->near >> i & 1 && nearest(day, i) == day.day) {
            return 1;
        }
    }
    return 0;
}

static int fits_weekday(const mastra_cron_t *cron, mastra_day_t day,
                        apr_int64_t number)
{
    int weekday = mastra_day_weekday(number);

    if (cron->sets[WEEKDAY] >> weekday & 1
        || cron->nth[weekday] >> ((day.day - 1) / 7 + 1) & 1) {
        return 1;
    }
    return cron->nth[weekday] >> 6 & 1
           && day.day + 7 > mastra_day_last(day.year, day.month);
}

static int fits_day(const mastra_cron_t *cron, mastra_day_t day,
                    apr_int64_t number)
{
    int month_day, weekday;

    if (!(cron->sets[MONTH] >> day.month & 1)
        || !(cron->years[day.year / 8] >> day.year % 8 & 1)) {
        return 0;
    }
    month_day = fits_month_day(cron, day, number);
    weekday = fits_weekday(cron, day, number);
    if (cron->any[MONTH_DAY] || cron->any[WEEKDAY] || cron->both) {
        return month_day && weekday;
    }
    return month_day || weekday;
}

/* ---- times ---- */

static int first_from(apr_uint64_t set, int from, int most)
{
    int i;

    for (i = from; i <= most; i++) {
        if (set >> i & 1) {
            return i;
        }
    }
    return -1;
}

/* The first second of a day from one on, -1: none. */
static int first_in_day(const mastra_cron_t *cron, int from)
{
    int hour = from / 3600, minute = from / 60 % 60, second = from % 60;
    int h, m, s;

    for (h = first_from(cron->sets[HOUR], hour, 23); h >= 0;
         h = first_from(cron->sets[HOUR], h + 1, 23)) {
        for (m = first_from(cron->sets[MINUTE], h > hour ? 0 : minute, 59);
             m >= 0; m = first_from(cron->sets[MINUTE], m + 1, 59)) {
            s = first_from(cron->sets[SECOND],
                           h > hour || m > minute ? 0 : second, 59);
            if (s >= 0) {
                return h * 3600 + m * 60 + s;
            }
        }
    }
    return -1;
}

/* By the zone's clocks: seconds as if they were UTC's. 0: none. */
static apr_int64_t next_local(const mastra_cron_t *cron, apr_int64_t from)
{
    apr_int64_t number = from / DAY, limit = number + HORIZON;
    int second = (int)(from % DAY), found;

    while (number < limit) {
        mastra_day_t day = mastra_day_of(number);
        int year = day.year;

        while (year <= LAST_YEAR
               && !(cron->years[year / 8] >> year % 8 & 1)) {
            year++;
        }
        if (year > LAST_YEAR) {
            return 0;
        }
        if (year > day.year) {
            number = mastra_day_number(year, 1, 1);
            limit = number + HORIZON;
            second = 0;
            continue;
        }
        if (fits_day(cron, day, number)) {
            found = first_in_day(cron, second);
            if (found >= 0) {
                return number * DAY + found;
            }
        }
        number++;
        second = 0;
    }
    return 0;
}

/* A day before and a day after: clocks do not change twice in between. */
static apr_int64_t to_utc(const mastra_zone_t *zone, apr_int64_t local)
{
    int before = mastra_zone_offset(zone, local - DAY);
    int after = mastra_zone_offset(zone, local + DAY);

    if (mastra_zone_offset(zone, local - before) != before
        && mastra_zone_offset(zone, local - after) == after) {
        return local - after;
    }
    /* also what clocks skip: as if they went on as before */
    return local - before;
}

apr_int64_t mastra_cron_next(const mastra_cron_t *cron,
                             const mastra_zone_t *zone, apr_int64_t after)
{
    apr_int64_t since = after / 1000, local, at;

    local = since + mastra_zone_offset(zone, since);
    do {
        local = next_local(cron, local + 1);
        if (!local) {
            return 0;
        }
        at = to_utc(zone, local);
        /* an hour that is there twice has passed once already */
    } while (at <= since);
    return at * 1000;
}
