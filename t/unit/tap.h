/* Test Anything Protocol for the C unit tests. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

/* One assertion; the expression is printed when it does not hold. */
#define ok(cond, name) \
    tap_result((cond) ? 1 : 0, (name), __FILE__, __LINE__, #cond)

/* Two strings are the same; NULL is a value of its own. */
#define is_str(got, want, name) \
    tap_strings((got), (want), (name), __FILE__, __LINE__)

/* Two integers are the same. */
#define is_int(got, want, name) \
    tap_integers((long long)(got), (long long)(want), (name), __FILE__, __LINE__)

static inline int tap_result(int good, const char *name, const char *file,
                             int line, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++tap_count, name);
    if (!good) {
        tap_failed++;
        printf("# %s:%d: %s\n", file, line, what);
    }
    fflush(stdout);
    return good;
}

static inline int tap_strings(const char *got, const char *want,
                              const char *name, const char *file, int line)
{
    int good = got && want ? !strcmp(got, want) : got == want;

    tap_result(good, name, file, line, "strings differ");
    if (!good) {
        printf("#  got: %s\n# want: %s\n", got ? got : "(null)",
               want ? want : "(null)");
    }
    return good;
}

static inline int tap_integers(long long got, long long want, const char *name,
                               const char *file, int line)
{
    int good = got == want;

    tap_result(good, name, file, line, "numbers differ");
    if (!good) {
        printf("#  got: %lld\n# want: %lld\n", got, want);
    }
    return good;
}

/* The last line of main(): the plan, and the exit status. */
static inline int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

#endif
