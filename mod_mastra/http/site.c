/* Folders of files and single pages, below paths where the host has nothing. */
#include <string.h>

#include <apr_base64.h>
#include <apr_file_info.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <openssl/evp.h>

#include <http_core.h>
#include <http_protocol.h>

#include "internal.h"
#include "site.h"

#define PAGE_HANDLER "mastra-page"
#define FILE_HANDLER "default-handler"   /* httpd's own */
#define MAX_FILES 4096
#define MAX_FOLDERS_DEEP 8
#define SHA256_BYTES 32

typedef struct {
    const char *text;
    apr_size_t len;
    const char *policy;
    const char *etag;
} page_t;

struct mastra_site_t {
    const char *base;
    apr_size_t base_len;
    apr_hash_t *files;           /* path below the base -> path on disk */
    apr_hash_t *pages;           /* path -> page_t * */
    const page_t *fallback;
};

/* --- what there is ---------------------------------------------------------- */

static const char *read_folder(mastra_site_t *site, const char *dir,
                               const char *name, int depth, apr_pool_t *pool)
{
    const char *wrong = NULL;
    apr_finfo_t entry;
    apr_dir_t *open;
    apr_status_t rv = apr_dir_open(&open, dir, pool);
    char text[80];

    if (rv != APR_SUCCESS) {
        return apr_psprintf(pool, "%s: %s", dir,
                            apr_strerror(rv, text, sizeof(text)));
    }
    /* what is neither file nor folder is left out: links could lead anywhere */
    while (!wrong && apr_dir_read(&entry, APR_FINFO_TYPE | APR_FINFO_NAME, open)
                     == APR_SUCCESS) {
        const char *path = apr_pstrcat(pool, dir, "/", entry.name, NULL);
        const char *below = apr_pstrcat(pool, name, entry.name, NULL);

        if (entry.name[0] == '.') {
            continue;
        }
        if (entry.filetype == APR_REG) {
            apr_hash_set(site->files, below, APR_HASH_KEY_STRING, path);
        }
        else if (entry.filetype == APR_DIR && depth < MAX_FOLDERS_DEEP) {
            wrong = read_folder(site, path, apr_pstrcat(pool, below, "/", NULL),
                                depth + 1, pool);
        }
        if (apr_hash_count(site->files) > MAX_FILES) {
            wrong = apr_psprintf(pool, "%s holds more than %d files", dir,
                                 MAX_FILES);
        }
    }
    apr_dir_close(open);
    return wrong;
}

const char *mastra_site_make(mastra_site_t **psite, const char *base,
                             const char *dir, apr_pool_t *pool)
{
    mastra_site_t *site = apr_pcalloc(pool, sizeof(*site));
    const char *wrong;

    site->base = base;
    site->base_len = strlen(base);
    site->files = apr_hash_make(pool);
    site->pages = apr_hash_make(pool);
    wrong = dir ? read_folder(site, dir, "", 0, pool) : NULL;
    if (!wrong) {
        *psite = site;
    }
    return wrong;
}

/* --- pages ------------------------------------------------------------------ */

static const char *digest(const char *data, apr_size_t len, apr_pool_t *pool)
{
    unsigned char hash[SHA256_BYTES];
    char *text = apr_palloc(pool, apr_base64_encode_len(SHA256_BYTES));

    if (EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL) != 1) {
        return "";
    }
    apr_base64_encode(text, (const char *)hash, SHA256_BYTES);
    return text;
}

const char *mastra_site_hashes(const char *html, apr_pool_t *pool)
{
    const char *made = "", *at = html;

    while ((at = strstr(at, "<script"))) {
        const char *begin = strchr(at, '>'), *end, *src = strstr(at, " src=");

        if (!begin || !(end = strstr(begin, "</script>"))) {
            break;
        }
        if (!src || src > begin) {
            begin++;
            made = apr_pstrcat(pool, made, " 'sha256-",
                               digest(begin, (apr_size_t)(end - begin), pool),
                               "'", NULL);
        }
        at = end;
    }
    return made;
}

static const page_t *make_page(const mastra_site_t *site, const char *text,
                               const char *policy)
{
    apr_pool_t *pool = apr_hash_pool_get(site->pages);
    page_t *page = apr_palloc(pool, sizeof(*page));

    page->text = text;
    page->len = strlen(text);
    page->policy = policy;
    page->etag = apr_pstrcat(pool, "\"", digest(text, page->len, pool), "\"",
                             NULL);
    return page;
}

void mastra_site_page(mastra_site_t *site, const char *path, const char *text,
                      const char *policy)
{
    apr_hash_set(site->pages, path, APR_HASH_KEY_STRING,
                 make_page(site, text, policy));
}

void mastra_site_fallback(mastra_site_t *site, const char *text,
                          const char *policy)
{
    site->fallback = make_page(site, text, policy);
}

/* --- requests --------------------------------------------------------------- */

/* The root folder of a host is there in any case; it is something only where
 * it is listed. An index file has become the request's file by now. */
static int is_bare_root(const request_rec *r)
{
    return r->finfo.filetype == APR_DIR && !strcmp(r->uri, "/")
           && !((ap_allow_options((request_rec *)r) & OPT_INDEXES)
                && ap_find_linked_module("mod_autoindex.c"));
}

int mastra_site_is_free(const request_rec *r)
{
    /* mod_dir names a handler for every folder, whether there is one or not */
    int handled = r->handler && strcmp(r->handler, DIR_MAGIC_TYPE);

    return !handled && !r->proxyreq && !r->main
           && (r->finfo.filetype == APR_NOFILE || is_bare_root(r));
}

static const char *type_of(const char *name)
{
    static const struct { const char *ending, *type; } types[] = {
        { "js", "text/javascript; charset=utf-8" },
        { "mjs", "text/javascript; charset=utf-8" },
        { "css", "text/css; charset=utf-8" },
        { "html", "text/html; charset=utf-8" },
        { "json", "application/json" },
        { "map", "application/json" },
        { "svg", "image/svg+xml" },
        { "png", "image/png" },
        { "jpg", "image/jpeg" },
        { "ico", "image/x-icon" },
        { "webp", "image/webp" },
        { "woff", "font/woff" },
        { "woff2", "font/woff2" },
        { "ttf", "font/ttf" },
        { "wasm", "application/wasm" },
        { "txt", "text/plain; charset=utf-8" },
        { NULL }
    };
    const char *dot = strrchr(name, '.');
    int i;

    for (i = 0; dot && types[i].ending; i++) {
        if (!strcmp(dot + 1, types[i].ending)) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

static int claim_file(request_rec *r, const char *path)
{
    apr_finfo_t info;

    if (apr_stat(&info, path, APR_FINFO_MIN | APR_FINFO_LINK, r->pool)
        != APR_SUCCESS || info.filetype != APR_REG) {
        return 0;
    }
    r->filename = apr_pstrdup(r->pool, path);
    r->finfo = info;
    r->path_info = NULL;
    r->handler = FILE_HANDLER;
    ap_set_content_type(r, type_of(path));
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    return 1;
}

static int claim_page(request_rec *r, const page_t *page)
{
    mastra_request_mark(r)->page = page;
    r->handler = PAGE_HANDLER;
    return 1;
}

/* An address of the application, not the name of a file that is missing. */
static int is_address(const request_rec *r, const char *below)
{
    const char *last = strrchr(below, '/');
    const char *dot = strrchr(last ? last : below, '.');
    const char *accept = apr_table_get(r->headers_in, "Accept");

    return !dot || !strcmp(dot, ".html")
           || (accept && strstr(accept, "text/html"));
}

int mastra_site_claim(const mastra_site_t *site, request_rec *r)
{
    const char *below, *path;
    const page_t *page;

    if (r->method_number != M_GET) {
        return 0;
    }
    page = apr_hash_get(site->pages, r->uri, APR_HASH_KEY_STRING);
    if (page) {
        return claim_page(r, page);
    }
    if (strncmp(r->uri, site->base, site->base_len)) {
        return 0;
    }
    below = r->uri + site->base_len;
    if (*below && *below != '/') {
        return 0;
    }
    below += *below == '/';
    path = apr_hash_get(site->files, below, APR_HASH_KEY_STRING);
    if (path && claim_file(r, path)) {
        return 1;
    }
    return site->fallback && is_address(r, below)
           && claim_page(r, site->fallback);
}

int mastra_site_send(request_rec *r)
{
    const mastra_mark_t *mark = mastra_request_marked(r);
    const page_t *page = mark ? mark->page : NULL;
    apr_table_t *headers = r->headers_out;
    int rc;

    if (!page || strcmp(r->handler, PAGE_HANDLER)) {
        return DECLINED;
    }
    rc = ap_discard_request_body(r);
    if (rc != OK) {
        return rc;
    }
    ap_set_content_type(r, "text/html; charset=utf-8");
    apr_table_setn(headers, "Content-Security-Policy", page->policy);
    apr_table_setn(headers, "X-Content-Type-Options", "nosniff");
    apr_table_setn(headers, "Referrer-Policy", "same-origin");
    /* it names files that the next version of it may not have */
    apr_table_setn(headers, "Cache-Control", "no-cache");
    apr_table_setn(headers, "ETag", page->etag);
    rc = ap_meets_conditions(r);
    if (rc != OK) {
        return rc;
    }
    ap_set_content_length(r, (apr_off_t)page->len);
    if (!r->header_only) {
        ap_rwrite(page->text, (int)page->len, r);
    }
    return OK;
}
