/* One request on its way in: its origin, its path, its identity, its body. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include <http_protocol.h>

#include "internal.h"

#define READ_SIZE 65536
#define MAX_REQUEST_ID 128

/* --- marks: what hooks remember -------------------------------------------- */

const mastra_mark_t *mastra_request_marked(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &mastra_module);
}

mastra_mark_t *mastra_request_mark(request_rec *r)
{
    mastra_mark_t *mark = ap_get_module_config(r->request_config,
                                               &mastra_module);

    if (!mark) {
        mark = apr_pcalloc(r->pool, sizeof(*mark));
        ap_set_module_config(r->request_config, &mastra_module, mark);
    }
    return mark;
}

const mastra_mark_t *mastra_request_origin(const request_rec *r)
{
    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    return mastra_request_marked(r);
}

/* --- headers that only this server may send -------------------------------- */

typedef struct {
    const char *names[32];
    int count;
    int more;
} found_t;

static int find_internal(void *baton, const char *name, const char *value)
{
    found_t *found = baton;

    if ((*name | 0x20) == 'x'
        && (!ap_cstr_casecmpn(name, MASTRA_HEADER_INTERNAL,
                              sizeof(MASTRA_HEADER_INTERNAL) - 1)
            || !ap_cstr_casecmpn(name, MASTRA_HEADER_CONTEXT,
                                 sizeof(MASTRA_HEADER_CONTEXT) - 1))) {
        if (found->count == (int)(sizeof(found->names) / sizeof(char *))) {
            found->more = 1;
            return 0;
        }
        found->names[found->count++] = name;
    }
    return 1;
}

static void remove_found(request_rec *r, const found_t *found)
{
    int i;

    for (i = 0; i < found->count; i++) {
        apr_table_unset(r->headers_in, found->names[i]);
    }
}

static void read_depth(mastra_mark_t *mark, request_rec *r)
{
    const char *text = apr_table_get(r->headers_in, MASTRA_HEADER_DEPTH);
    char *end;
    apr_int64_t depth;

    if (text) {
        depth = apr_strtoi64(text, &end, 10);
        mark->depth = *end || depth < 0 || depth > MASTRA_MAX_DEPTH
                      ? MASTRA_MAX_DEPTH + 1 : (int)depth;
    }
}

static void read_resource(mastra_mark_t *mark, request_rec *r)
{
    const char *text = apr_table_get(r->headers_in, MASTRA_HEADER_RESOURCE);

    if (text) {
        mastra_text_url_decode(&mark->resource, text, strlen(text), 0,
                               r->pool);
    }
}

void mastra_request_intake(request_rec *r, const char *secret)
{
    found_t found = { .count = 0 };
    const char *given;

    apr_table_do(find_internal, &found, r->headers_in, NULL);
    if (!found.count) {
        return;
    }
    given = apr_table_get(r->headers_in, MASTRA_HEADER_SECRET);
    if (given && mastra_text_equal_secret(given, strlen(given), secret,
                                          strlen(secret))) {
        mastra_mark_t *mark = mastra_request_mark(r);

        mark->internal = 1;
        read_depth(mark, r);
        read_resource(mark, r);
        apr_table_unset(r->headers_in, MASTRA_HEADER_SECRET);
        return;
    }
    do {
        remove_found(r, &found);
        found.count = found.more = 0;
        apr_table_do(find_internal, &found, r->headers_in, NULL);
    } while (found.count);
}

/* --- the path -------------------------------------------------------------- */

int mastra_path_below(const char *uri, const char *prefix)
{
    apr_size_t len = strlen(prefix);

    return !strncmp(uri, prefix, len) && (!uri[len] || uri[len] == '/');
}

void mastra_request_keep_slashes(request_rec *r, const char *prefix)
{
    const char *path = r->parsed_uri.path, *p;
    char *copy, *q;
    apr_size_t n = 0;

    if (!path || !mastra_path_below(path, prefix)) {
        return;
    }
    for (p = path; (p = strchr(p, '%')); p++) {
        n += p[1] == '2' && (p[2] | 0x20) == 'f';
    }
    if (!n) {
        return;
    }
    q = copy = apr_palloc(r->pool, strlen(path) + 2 * n + 1);
    for (p = path; *p; p++) {
        *q++ = *p;
        if (*p == '%' && p[1] == '2' && (p[2] | 0x20) == 'f') {
            *q++ = '2';
            *q++ = '5';
        }
    }
    *q = '\0';
    r->parsed_uri.path = r->uri = copy;
}

/* The path of the request line: unparsed_uri may be an absolute form. */
static const char *raw_path(apr_size_t *plen, const request_rec *r)
{
    const char *path = r->unparsed_uri;

    if (!path) {
        path = r->uri;
    }
    if (*path != '/') {
        const char *host = strstr(path, "://");

        path = host ? strchr(host + 3, '/') : NULL;
        if (!path) {
            path = "/";
        }
    }
    *plen = strcspn(path, "?#");
    return path;
}

/* Whether r->uri is what httpd makes of the raw path: it is not after a
 * rewrite. */
static int is_same_path(const request_rec *r, const char *raw, apr_size_t len)
{
    char *copy;

    if (!memchr(raw, '%', len)) {
        return !strncmp(raw, r->uri, len) && !r->uri[len];
    }
    copy = apr_pstrmemdup(r->pool, raw, len);
    if (ap_unescape_url_keep2f(copy, 0) != OK) {
        return 0;
    }
    return !strcmp(copy, r->uri);
}

static int is_dots(const mastra_segment_t *segment)
{
    return segment->len <= 2 && segment->text[0] == '.'
           && (segment->len == 1 || segment->text[1] == '.');
}

/* text begins behind the prefix: empty, or with a slash. */
static mastra_path_e split(mastra_path_t *path, const char *text,
                           apr_size_t len, int decode, apr_pool_t *pool)
{
    const char *end = text + len;

    path->count = 0;
    while (text < end) {
        mastra_segment_t *segment = &path->segments[path->count];
        const char *stop;

        text++;
        stop = memchr(text, '/', end - text);
        if (!stop) {
            stop = end;
        }
        if (stop == text || path->count == MASTRA_MAX_SEGMENTS) {
            return MASTRA_PATH_UNKNOWN;
        }
        segment->text = text;
        segment->len = stop - text;
        if (decode && memchr(text, '%', segment->len)) {
            if (mastra_text_url_decode(&segment->text, text, segment->len, 0,
                                       pool) != APR_SUCCESS) {
                return MASTRA_PATH_INVALID;
            }
            segment->len = strlen(segment->text);
        }
        else if (mastra_text_utf8_valid(text, segment->len) < segment->len) {
            return MASTRA_PATH_INVALID;
        }
        if (is_dots(segment)) {
            return MASTRA_PATH_UNKNOWN;
        }
        path->count++;
        text = stop;
    }
    return MASTRA_PATH_OK;
}

mastra_path_e mastra_request_path(mastra_path_t *path, request_rec *r,
                                  const char *prefix)
{
    apr_size_t len, skip = strlen(prefix);
    const char *raw = raw_path(&len, r);
    int raw_below = len >= skip && !strncmp(raw, prefix, skip)
                    && (len == skip || raw[skip] == '/');
    mastra_path_e rv;

    if (raw_below) {
        path->outside = 0;
        rv = split(path, raw + skip, len - skip, 1, r->pool);
        /* httpd merges slashes and resolves dots: here they are an error */
        if (rv != MASTRA_PATH_OK || is_same_path(r, raw, len)) {
            return rv;
        }
    }
    else if (is_same_path(r, raw, len)) {
        path->outside = !mastra_path_below(r->uri, prefix);
        return path->outside ? split(path, raw, len, 1, r->pool)
                             : split(path, r->uri + skip,
                                     strlen(r->uri) - skip, 0, r->pool);
    }
    path->outside = !mastra_path_below(r->uri, prefix);
    if (path->outside) {
        skip = 0;
    }
    return split(path, r->uri + skip, strlen(r->uri) - skip, 0, r->pool);
}

/* --- identity -------------------------------------------------------------- */

static int is_fit(const char *id)
{
    const char *p;

    for (p = id; *p; p++) {
        if (p - id == MAX_REQUEST_ID
            || !(apr_isalnum(*p) || strchr("._:-", *p))) {
            return 0;
        }
    }
    return p > id;
}

const char *mastra_request_id(request_rec *r)
{
    mastra_mark_t *mark = mastra_request_mark(r);
    const char *id = apr_table_get(r->headers_in, "X-Request-Id");

    if (!mark->id) {
        mark->id = id && is_fit(id) ? id : mastra_text_uuid_make(r->pool);
        /* for ErrorLogFormat, too */
        r->log_id = mark->id;
    }
    apr_table_setn(r->err_headers_out, "X-Request-Id", mark->id);
    return mark->id;
}

/* --- the body -------------------------------------------------------------- */

static int too_large(mastra_result_t **perror, request_rec *r)
{
    /* what is left of the body is not read to the end */
    r->connection->keepalive = AP_CONN_CLOSE;
    *perror = mastra_result_make(r->pool, HTTP_REQUEST_ENTITY_TOO_LARGE,
                                 "BODY_TOO_LARGE", "Request body too large");
    return -1;
}

static int not_read(mastra_result_t **perror, request_rec *r, apr_status_t rv)
{
    int status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);

    r->connection->keepalive = AP_CONN_CLOSE;
    if (status == AP_FILTER_ERROR) {
        return status;
    }
    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return too_large(perror, r);
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, r,
                  "the request body could not be read");
    *perror = mastra_result_make(r->pool, status, "BODY_NOT_READ", "%s",
                                 status == HTTP_REQUEST_TIME_OUT
                                 ? "The request body did not arrive in time"
                                 : "The request body could not be read");
    return -1;
}

/* Adds what a brigade holds. *peos: the end was among it. */
static apr_status_t take(mastra_buf_t *buf, int *peos, apr_bucket_brigade *bb)
{
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t len;
        apr_status_t rv;

        if (APR_BUCKET_IS_EOS(b)) {
            *peos = 1;
            break;
        }
        if (APR_BUCKET_IS_METADATA(b)) {
            continue;
        }
        rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
        if (rv == APR_SUCCESS) {
            rv = mastra_buf_add(buf, data, len);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return APR_SUCCESS;
}

int mastra_request_read(char **pdata, apr_size_t *plen,
                        mastra_result_t **perror, request_rec *r,
                        apr_size_t limit)
{
    const char *announced = apr_table_get(r->headers_in, "Content-Length");
    apr_bucket_brigade *bb;
    mastra_buf_t buf;
    int eos = 0;

    *pdata = NULL;
    *plen = 0;
    mastra_buf_init(&buf, limit);
    if (announced) {
        apr_off_t size = apr_atoi64(announced);

        if (size < 0 || (apr_uint64_t)size > limit) {
            return too_large(perror, r);
        }
        mastra_buf_reserve(&buf, (apr_size_t)size);
    }
    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    while (!eos) {
        apr_status_t rv = ap_get_brigade(r->input_filters, bb,
                                         AP_MODE_READBYTES, APR_BLOCK_READ,
                                         READ_SIZE);

        if (rv == APR_SUCCESS) {
            rv = take(&buf, &eos, bb);
            if (rv == APR_ENOSPC) {
                mastra_buf_free(&buf);
                apr_brigade_destroy(bb);
                return too_large(perror, r);
            }
        }
        if (rv != APR_SUCCESS) {
            mastra_buf_free(&buf);
            apr_brigade_destroy(bb);
            return not_read(perror, r, rv);
        }
        apr_brigade_cleanup(bb);
    }
    apr_brigade_destroy(bb);
    if (buf.len) {
        *pdata = mastra_buf_detach(&buf, plen);
    }
    mastra_buf_free(&buf);
    return OK;
}

/* --- request context ------------------------------------------------------- */

void mastra_request_context_clean(mastra_json_t *context)
{
    static const char *const reserved[] = {
        "mastra__resourceId", "mastra__threadId", "mastra__user",
        "mastra__userPermissions", "mastra__userRoles", "mastra__authToken",
        "mastra__isStudio", "mastra__authMode", "mastra__inheritedMemory",
        "organizationId", NULL
    };
    const char *const *key;

    for (key = reserved; *key; key++) {
        mastra_json_del(context, *key);
    }
}
