/* A lock between processes on a file, with a turnstile before it: whoever
 * let go of the lock passes behind those that wait. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "internal.h"

/*
 * Open file description locks: they belong to this descriptor, not to the
 * process, so that threads and other descriptors of the same file cannot lose
 * or share them, and the kernel drops them when the process dies.
 */

/* Bytes of the file that are locked; its content does not matter. */
enum { BYTE_LOCK, BYTE_TURNSTILE };

#define POLL_SHORT 100           /* microseconds between attempts */
#define POLL_LONG 1000           /* after the first hundred */

struct mastra_filelock_t {
    int fd;
};

static apr_status_t set(mastra_filelock_t *lock, int byte, short type)
{
    struct flock range;

    memset(&range, 0, sizeof(range));
    range.l_type = type;
    range.l_whence = SEEK_SET;
    range.l_start = byte;
    range.l_len = 1;
    if (fcntl(lock->fd, F_OFD_SETLK, &range) == 0) {
        return APR_SUCCESS;
    }
    return errno == EACCES || errno == EINTR ? APR_EAGAIN : errno;
}

/* Asks again and again: a waiting fcntl could not be bounded. */
static apr_status_t take(mastra_filelock_t *lock, int byte, apr_time_t until)
{
    apr_status_t rv;
    int tries = 0;

    while ((rv = set(lock, byte, F_WRLCK)) == APR_EAGAIN) {
        if (apr_time_now() >= until) {
            break;
        }
        apr_sleep(++tries < 100 ? POLL_SHORT : POLL_LONG);
    }
    return rv;
}

static apr_status_t close_file(void *data)
{
    close(((mastra_filelock_t *)data)->fd);
    return APR_SUCCESS;
}

apr_status_t mastra_filelock_open(mastra_filelock_t **plock, const char *path,
                                  apr_pool_t *pool)
{
    mastra_filelock_t *lock = apr_palloc(pool, sizeof(*lock));

    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (lock->fd < 0) {
        return errno;
    }
    apr_pool_cleanup_register(pool, lock, close_file, apr_pool_cleanup_null);
    *plock = lock;
    return APR_SUCCESS;
}

apr_status_t mastra_filelock_take(mastra_filelock_t *lock,
                                  apr_interval_time_t patience)
{
    apr_time_t until = apr_time_now() + patience;
    apr_status_t rv = take(lock, BYTE_TURNSTILE, until);

    if (rv == APR_SUCCESS) {
        rv = take(lock, BYTE_LOCK, until);
        set(lock, BYTE_TURNSTILE, F_UNLCK);
    }
    return rv;
}

void mastra_filelock_drop(mastra_filelock_t *lock)
{
    set(lock, BYTE_LOCK, F_UNLCK);
}
