/* A lock between processes on a file, with a turnstile before it: whoever
 * let go of the lock passes behind those that wait. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "internal.h"

/*
 * Open file description locks: they belong to this descriptor, not to the
 * process, so that threads and other descriptors of the same file cannot lose
 * or share them, and the kernel drops them when the process dies.
 */

/* Bytes of the file that are locked; what stands there does not matter. */
enum { BYTE_LOCK, BYTE_TURNSTILE, BYTES };

/*
 * A bell behind these bytes, in memory that all who have the file share: who
 * lets go rings for one that waits. It is a hint and no more: whoever died
 * while waiting makes others ring in vain, and who holds the lock without
 * knowing of the bell is met by asking again every now and then.
 */
typedef struct {
    apr_uint32_t waiting[BYTES];
    apr_uint32_t rung[BYTES];
} bell_t;

#define BELL_AT 64               /* offset in the file */
#define MAPPED (BELL_AT + sizeof(bell_t))
#define ASK_AGAIN 2000           /* microseconds */

struct mastra_filelock_t {
    int fd;
    void *mapped;
    bell_t *bell;
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

static void ring(mastra_filelock_t *lock, int byte)
{
    bell_t *bell = lock->bell;

    if (__atomic_load_n(&bell->waiting[byte], __ATOMIC_SEQ_CST)) {
        __atomic_add_fetch(&bell->rung[byte], 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &bell->rung[byte], FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

/* A waiting fcntl could not be bounded. The bell is read before the lock is
 * asked for: a ring in between ends the wait at once. */
static apr_status_t take(mastra_filelock_t *lock, int byte, apr_time_t until)
{
    const struct timespec pause = { .tv_nsec = ASK_AGAIN * 1000L };
    apr_status_t rv = set(lock, byte, F_WRLCK);
    bell_t *bell = lock->bell;
    apr_uint32_t rung;

    if (rv != APR_EAGAIN) {
        return rv;
    }
    __atomic_add_fetch(&bell->waiting[byte], 1, __ATOMIC_SEQ_CST);
    for (;;) {
        rung = __atomic_load_n(&bell->rung[byte], __ATOMIC_SEQ_CST);
        rv = set(lock, byte, F_WRLCK);
        if (rv != APR_EAGAIN || apr_time_now() >= until) {
            break;
        }
        syscall(SYS_futex, &bell->rung[byte], FUTEX_WAIT, rung, &pause, NULL,
                0);
    }
    __atomic_sub_fetch(&bell->waiting[byte], 1, __ATOMIC_SEQ_CST);
    return rv;
}

static void drop(mastra_filelock_t *lock, int byte)
{
    set(lock, byte, F_UNLCK);
    ring(lock, byte);
}

static apr_status_t close_file(void *data)
{
    mastra_filelock_t *lock = data;

    munmap(lock->mapped, MAPPED);
    close(lock->fd);
    return APR_SUCCESS;
}

static apr_status_t map_bell(mastra_filelock_t *lock)
{
    /* longer only: others have it mapped */
    if (lseek(lock->fd, 0, SEEK_END) < (off_t)MAPPED
        && ftruncate(lock->fd, MAPPED) < 0) {
        return errno;
    }
    lock->mapped = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED,
                        lock->fd, 0);
    if (lock->mapped == MAP_FAILED) {
        return errno;
    }
    lock->bell = (bell_t *)((char *)lock->mapped + BELL_AT);
    return APR_SUCCESS;
}

apr_status_t mastra_filelock_open(mastra_filelock_t **plock, const char *path,
                                  apr_pool_t *pool)
{
    mastra_filelock_t *lock = apr_palloc(pool, sizeof(*lock));
    apr_status_t rv;

    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (lock->fd < 0) {
        return errno;
    }
    rv = map_bell(lock);
    if (rv != APR_SUCCESS) {
        close(lock->fd);
        return rv;
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
        drop(lock, BYTE_TURNSTILE);
    }
    return rv;
}

void mastra_filelock_drop(mastra_filelock_t *lock)
{
    drop(lock, BYTE_LOCK);
}
