/* A client does not wait longer than MastraTimeout for handlers that nothing
 * can stop. */
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <apr_atomic.h>
#include <apr_portable.h>
#include <apr_strings.h>

#include <ap_mpm.h>
#include <http_connection.h>
#include <http_core.h>

#include "../base/log.h"
#include "../base/pool.h"
#include "deadline.h"

enum { WAITING, BEGUN, TELLING, TOLD };

/* In a pool of its own: made by the worker, freed by the loop. */
struct mastra_deadline_t {
    apr_pool_t *pool;
    mastra_loop_t *loop;
    mastra_msg_t set, end;
    mastra_timer_t timer;
    apr_time_t at;
    apr_uint32_t state;      /* atomic */
    int fd;                  /* of the client; -1: others write to it, too */
    const char *answer;      /* all behind the date */
    const char *id;
};

const mastra_result_t mastra_deadline_late = {
    .status = HTTP_GATEWAY_TIME_OUT, .code = "TIMEOUT",
    .message = "The answer took longer than this server allows"
};

/* --- loop ------------------------------------------------------------------ */

#define STATUS_LINE "HTTP/1.1 504 Gateway Timeout\r\nDate: "

/* A socket on which nothing is under way takes so little at once; what it does
 * not take would be lost with the connection in any case. */
static void on_time(void *baton)
{
    mastra_deadline_t *deadline = baton;
    char date[APR_RFC822_DATE_LEN];
    struct iovec parts[3] = {
        { (void *)STATUS_LINE, sizeof(STATUS_LINE) - 1 },
        { date, sizeof(date) - 1 },
        { (void *)deadline->answer, strlen(deadline->answer) }
    };
    struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 3 };

    if (apr_atomic_cas32(&deadline->state, TELLING, WAITING) != WAITING) {
        return;
    }
    apr_rfc822_date(date, apr_time_now());
    (void)sendmsg(deadline->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(deadline->fd, SHUT_WR);
    apr_atomic_set32(&deadline->state, TOLD);
    mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(662) "request %s was answered "
               "with 504: its handler has not answered in time, and keeps a "
               "worker until it returns", deadline->id);
}

static void set_cb(void *baton)
{
    mastra_deadline_t *deadline = baton;
    apr_interval_time_t in = deadline->at - apr_time_now();

    mastra_loop_timer_set(deadline->loop, &deadline->timer, in > 0 ? in : 0,
                          on_time, deadline);
}

static void end_cb(void *baton)
{
    mastra_deadline_t *deadline = baton;

    mastra_loop_timer_stop(deadline->loop, &deadline->timer);
    apr_pool_destroy(deadline->pool);
}

/* --- worker ---------------------------------------------------------------- */

/* Filters of a connection that write nothing of their own. */
static int is_mute(const char *name)
{
    static const char *const names[] = { "log_input_output", "reqtimeout",
                                         "logio_ttfb_out", NULL };
    const char *const *each;

    for (each = names; *each && strcasecmp(name, *each); each++) {
    }
    return *each != NULL;
}

/* The client's socket, if nothing stands between it and this request. */
static int socket_of(request_rec *r)
{
    conn_rec *c = r->connection;
    apr_socket_t *socket = ap_get_conn_socket(c);
    const ap_filter_t *f;
    apr_os_sock_t fd;

    if (c->master || c->data_in_output_filters || !socket
        || r->proto_num < HTTP_VERSION(1, 0)) {
        return -1;
    }
    for (f = c->output_filters; f; f = f->next) {
        if (f->frec != ap_core_output_filter_handle
            && !is_mute(f->frec->name)) {
            return -1;
        }
    }
    return apr_os_sock_get(&fd, socket) == APR_SUCCESS ? fd : -1;
}

typedef struct {
    apr_pool_t *pool;
    const char *text;
} headers_t;

static int add_header(void *baton, const char *name, const char *value)
{
    headers_t *headers = baton;

    if (!strpbrk(name, "\r\n:") && !strpbrk(value, "\r\n")) {
        headers->text = apr_pstrcat(headers->pool, headers->text, name, ": ",
                                    value, "\r\n", NULL);
    }
    return 1;
}

static const char *write_answer(const mastra_req_t *req, apr_pool_t *pool)
{
    const char *body = mastra_error_text_logged(req->host, "",
                                                &mastra_deadline_late, pool);
    headers_t headers = { pool, "" };

    apr_table_do(add_header, &headers, req->r->err_headers_out, NULL);
    return apr_psprintf(pool, "\r\n%sContent-Type: application/json\r\n"
                        "Content-Length: %" APR_SIZE_T_FMT "\r\n"
                        "Connection: close\r\n\r\n%s", headers.text,
                        strlen(body), req->r->header_only ? "" : body);
}

void mastra_deadline_set(mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    mastra_deadline_t *deadline;
    apr_pool_t *pool;
    int fd;

    if (!full->due) {
        full->due = apr_time_now() + req->host->timeout;
    }
    if (full->captured || full->deadline || full->late) {
        return;
    }
    fd = socket_of(req->r);
    if (fd < 0 || mastra_pool_make(&pool, "mastra_deadline")) {
        return;
    }
    deadline = apr_pcalloc(pool, sizeof(*deadline));
    deadline->pool = pool;
    deadline->loop = req->host->loop;
    deadline->fd = fd;
    deadline->at = full->due;
    deadline->id = apr_pstrdup(pool, req->id);
    deadline->answer = write_answer(req, pool);
    deadline->set.cb = set_cb;
    deadline->set.baton = deadline;
    full->deadline = deadline;
    mastra_loop_post(deadline->loop, &deadline->set);
}

/* The worker has won, or waits the moment that it takes to tell. */
static int is_told(mastra_deadline_t *deadline)
{
    apr_uint32_t state = apr_atomic_cas32(&deadline->state, BEGUN, WAITING);

    while (state == TELLING) {
        sched_yield();
        state = apr_atomic_read32(&deadline->state);
    }
    return state == TOLD;
}

/* Who is slow may find that the loop is gone; what is left goes with the
 * process. */
static int is_ending(void)
{
    int state;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS
           && state == AP_MPMQ_STOPPING;
}

mastra_late_e mastra_deadline_end(mastra_full_req_t *full)
{
    mastra_deadline_t *deadline = full->deadline;
    int told = deadline && is_told(deadline);
    conn_rec *c = full->req.r->connection;

    if (deadline) {
        full->deadline = NULL;
    }
    if (deadline && !is_ending()) {
        deadline->end.cb = end_cb;
        deadline->end.baton = deadline;
        mastra_loop_post(deadline->loop, &deadline->end);
    }
    if (told) {
        full->late = MASTRA_LATE_TOLD;
        c->keepalive = AP_CONN_CLOSE;
        c->aborted = 1;
    }
    else if (!full->late && full->due && apr_time_now() >= full->due) {
        full->late = MASTRA_LATE_UNTOLD;
    }
    return full->late;
}
