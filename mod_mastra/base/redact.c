/* What counts as a secret, by name and by look, and its mask. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "internal.h"
#include "redact.h"

/* names longer than this are looked at up to here */
#define NAME_MAX_LEN 64

/* --- names --------------------------------------------------------------- */

/* lower case, letters and digits only */
static void plain_name(char *out, const char *name, apr_size_t len)
{
    apr_size_t i, n = 0;

    for (i = 0; i < len && n < NAME_MAX_LEN - 1; i++) {
        if (apr_isalnum(name[i])) {
            out[n++] = (char)apr_tolower(name[i]);
        }
    }
    out[n] = '\0';
}

/* A header's value is secret as a whole, spaces included. */
static int whole_line_name(const char *plain)
{
    return strstr(plain, "authorization") || strstr(plain, "cookie");
}

static int strong_name(const char *plain)
{
    static const char *const parts[] = {
        "authorization", "cookie", "password", "passwd", "passphrase",
        "secret", "credential", "apikey", "privatekey", "accesskey",
        "signingkey", "encryptionkey", "accesstoken", "authtoken",
        "refreshtoken", "sessiontoken", "idtoken", "bearer"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        if (strstr(plain, parts[i])) {
            return 1;
        }
    }
    return 0;
}

/* Words that are secrets when they are the whole name; as in "x-auth". */
static int short_name(const char *plain)
{
    static const char *const names[] = {
        "key", "auth", "xauth", "jwt", "refresh", "ssn", "pwd", "pass", "sig",
        "signature"
    };
    apr_size_t i, len = strlen(plain);

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!strcmp(plain, names[i])) {
            return 1;
        }
    }
    return len >= 5 && !strcmp(plain + len - 5, "token");
}

int mastra_redact_name(const char *name)
{
    char plain[NAME_MAX_LEN];

    plain_name(plain, name, strlen(name));
    return strong_name(plain) || short_name(plain);
}

/* --- values -------------------------------------------------------------- */

static int token_char(char c)
{
    return apr_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~'
           || c == '+' || c == '/' || c == '=';
}

static apr_size_t token_len(const char *s)
{
    apr_size_t n = 0;

    while (token_char(s[n])) {
        n++;
    }
    return n;
}

/* "Bearer xyz": the length up to the credentials, 0 when it is none. */
static apr_size_t scheme_len(const char *s)
{
    apr_size_t n, len;

    if (!strncasecmp(s, "bearer", 6)) {
        n = 6;
    }
    else if (!strncasecmp(s, "basic", 5)) {
        n = 5;
    }
    else {
        return 0;
    }
    if (s[n] != ' ') {
        return 0;
    }
    while (s[n] == ' ') {
        n++;
    }
    /* "basic understanding" is none: credentials have digits */
    len = token_len(s + n);
    return len >= 8 && (apr_tolower(s[1]) == 'e'
                        || strcspn(s + n, "0123456789=") < len) ? n : 0;
}

/* The length of a key that tells by its prefix what it is. */
static apr_size_t known_key_len(const char *s)
{
    static const struct { const char *prefix; apr_size_t least; } keys[] = {
        { "sk-", 16 }, { "sk_", 16 }, { "pk-", 16 }, { "rk_", 16 },
        { "ghp_", 20 }, { "gho_", 20 }, { "ghs_", 20 },
        { "github_pat_", 20 }, { "glpat-", 16 }, { "xoxb-", 16 },
        { "xoxp-", 16 }, { "AKIA", 20 }, { "ASIA", 20 }, { "AIza", 30 },
        { "hf_", 20 }, { "gsk_", 20 }, { "xai-", 20 }
    };
    apr_size_t i, n;

    for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        if (strncmp(s, keys[i].prefix, strlen(keys[i].prefix)) == 0) {
            for (n = 0; apr_isalnum(s[n]) || s[n] == '-' || s[n] == '_'; n++) {
            }
            return n >= keys[i].least ? n : 0;
        }
    }
    return 0;
}

/* Three parts of base64url, the first a JSON object. */
static apr_size_t jwt_len(const char *s)
{
    int dots = 0;
    apr_size_t n;

    if (strncmp(s, "eyJ", 3)) {
        return 0;
    }
    for (n = 3; apr_isalnum(s[n]) || s[n] == '-' || s[n] == '_'
                || (s[n] == '.' && dots < 2); n++) {
        dots += s[n] == '.';
    }
    return dots == 2 && n > 20 ? n : 0;
}

/* "://user:password@": the length up to the password, its own in *plen */
static apr_size_t url_password(const char *s, apr_size_t *plen)
{
    apr_size_t user, n;

    if (strncmp(s, "://", 3)) {
        return 0;
    }
    user = 3 + strcspn(s + 3, ":@/ ?#\"\n");
    if (s[user] != ':') {
        return 0;
    }
    n = strcspn(s + user + 1, "@/ \"\n");
    if (!n || s[user + 1 + n] != '@') {
        return 0;
    }
    *plen = n;
    return user + 1;
}

/* The length of name, separators and opening quote when a secret's value
 * follows; *plen: the value's own length. name=…, "name": "…", name: … */
static apr_size_t named_value(const char *s, apr_size_t *plen)
{
    char plain[NAME_MAX_LEN], sign;
    apr_size_t name = 0, n;

    while (apr_isalnum(s[name]) || s[name] == '-' || s[name] == '_') {
        name++;
    }
    n = name + (s[name] == '"' || s[name] == '\'');
    while (s[n] == ' ') {
        n++;
    }
    sign = s[n];
    if (!name || (sign != '=' && sign != ':')) {
        return 0;
    }
    plain_name(plain, s, name);
    /* "the key: be brief" is plain English */
    if (!strong_name(plain) && (sign == ':' || !short_name(plain))) {
        return 0;
    }
    for (n++; s[n] == ' '; n++) {
    }
    if (s[n] == '"' || s[n] == '\'') {
        const char quote[] = { s[n], '\0' };

        *plen = strcspn(s + n + 1, quote);
        return *plen ? n + 1 : 0;
    }
    *plen = whole_line_name(plain) && sign == ':'
            ? strcspn(s + n, "\r\n") : strcspn(s + n, " \t\r\n&;,\"')}]");
    return *plen ? n : 0;
}

/* Whether a secret begins at s, the start of a word or of "://": the bytes
 * to keep before it in *pkeep, and its length. */
static apr_size_t secret_at(const char *s, apr_size_t *pkeep)
{
    apr_size_t len = 0;

    *pkeep = 0;
    if (*s == ':') {
        *pkeep = url_password(s, &len);
        return len;
    }
    *pkeep = named_value(s, &len);
    if (*pkeep) {
        return len;
    }
    *pkeep = scheme_len(s);
    if (*pkeep) {
        return token_len(s + *pkeep);
    }
    len = known_key_len(s);
    return len ? len : jwt_len(s);
}

static int word_char(char c)
{
    return apr_isalnum(c) || c == '_' || c == '-';
}

/* The next secret from s on, NULL when there is none. */
static const char *find_secret(const char *s, apr_size_t *plen)
{
    apr_size_t keep;

    while (*s) {
        *plen = secret_at(s, &keep);
        if (*plen) {
            return s + keep;
        }
        if (!word_char(*s)) {
            s++;
            continue;
        }
        while (word_char(*s)) {
            s++;
        }
    }
    return NULL;
}

/* Fills out with the masked text; 0 when there was nothing to mask. */
static int mask(mastra_buf_t *out, const char *text)
{
    apr_size_t len;
    const char *secret = find_secret(text, &len);
    int found = secret != NULL;

    while (secret) {
        mastra_buf_add(out, text, secret - text);
        mastra_buf_puts(out, MASTRA_REDACTED);
        text = secret + len;
        secret = find_secret(text, &len);
    }
    if (found) {
        mastra_buf_puts(out, text);
    }
    return found;
}

/* A mask is longer than the shortest secret: ten letters for one. */
static void mask_buffer(mastra_buf_t *out, apr_size_t len)
{
    mastra_buf_init(out, len * sizeof(MASTRA_REDACTED));
}

const char *mastra_redact_text(const char *text, apr_pool_t *pool)
{
    mastra_buf_t out;

    if (!text) {
        return NULL;
    }
    mask_buffer(&out, strlen(text));
    if (mask(&out, text)) {
        text = apr_pstrmemdup(pool, out.data, out.len);
    }
    mastra_buf_free(&out);
    return text;
}

/* --- JSON ---------------------------------------------------------------- */

static mastra_json_t *redact(mastra_json_t *json, int secret);

static mastra_json_t *redact_string(mastra_json_t *json)
{
    mastra_json_t *masked = NULL;
    mastra_buf_t out;

    mask_buffer(&out, mastra_json_len(json));
    if (mask(&out, mastra_json_str(json))) {
        masked = mastra_json_stringn(out.data, out.len);
    }
    mastra_buf_free(&out);
    return masked ? masked : mastra_json_ref(json);
}

static mastra_json_t *redact_object(mastra_json_t *json)
{
    mastra_json_t *copy = NULL, *value, *masked;
    void *i;

    for (i = mastra_json_iter(json); i; i = mastra_json_next(json, i)) {
        value = mastra_json_value(i);
        masked = redact(value, mastra_redact_name(mastra_json_key(i)));
        if (masked != value && !copy) {
            copy = mastra_json_copy_flat(json);
        }
        if (masked != value) {
            mastra_json_set(copy, mastra_json_key(i), masked);
        }
        else {
            mastra_json_unref(masked);
        }
    }
    return copy ? copy : mastra_json_ref(json);
}

static mastra_json_t *redact_array(mastra_json_t *json, int secret)
{
    mastra_json_t *copy = mastra_json_array(), *masked;
    apr_size_t i, n = mastra_json_size(json);
    int changed = 0;

    for (i = 0; i < n; i++) {
        masked = redact(mastra_json_at(json, i), secret);
        changed |= masked != mastra_json_at(json, i);
        mastra_json_append(copy, masked);
    }
    if (changed) {
        return copy;
    }
    mastra_json_unref(copy);
    return mastra_json_ref(json);
}

/* secret: json bears a name that says so. An object under such a name has
 * names of its own, as in "auth": {"type": "basic", "password": "…"}. */
static mastra_json_t *redact(mastra_json_t *json, int secret)
{
    switch (mastra_json_type(json)) {
    case MASTRA_JSON_OBJECT:
        return redact_object(json);
    case MASTRA_JSON_ARRAY:
        return redact_array(json, secret);
    case MASTRA_JSON_STRING:
        if (secret && mastra_json_len(json)) {
            return mastra_json_string(MASTRA_REDACTED);
        }
        return redact_string(json);
    case MASTRA_JSON_INTEGER:
    case MASTRA_JSON_REAL:
        if (secret) {
            return mastra_json_string(MASTRA_REDACTED);
        }
        return mastra_json_ref(json);
    default:
        return mastra_json_ref(json);
    }
}

mastra_json_t *mastra_redact_json(mastra_json_t *json)
{
    return json ? redact(json, 0) : NULL;
}
