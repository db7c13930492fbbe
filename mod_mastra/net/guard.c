/* Which addresses outgoing calls may reach: no private ones by default. */

#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "client.h"
#include "internal.h"

typedef struct {
    enum { RULE_ALL, RULE_NET, RULE_HOST } kind;
    int family;
    unsigned char addr[16];  /* RULE_NET */
    int bits;
    const char *host;        /* RULE_HOST, in lower case */
    int port;                /* 0: any */
} rule_t;

struct mastra_guard_t {
    apr_pool_t *pool;
    rule_t *rules;
    int count;
    int size;
};

typedef struct {
    unsigned char addr[16];
    unsigned char bits;
} net_t;

/* What is not the public internet, by IANA's registries of special-purpose
 * addresses, and the metadata services of clouds that have public ones. */
static const net_t closed4[] = {
    { { 0 }, 8 },               /* this host */
    { { 10 }, 8 },
    { { 100, 64 }, 10 },        /* carriers' NAT */
    { { 127 }, 8 },
    { { 168, 63, 129, 16 }, 32 },   /* Azure's host agent */
    { { 169, 254 }, 16 },       /* link-local, metadata */
    { { 172, 16 }, 12 },
    { { 192, 0, 0 }, 24 },
    { { 192, 0, 2 }, 24 },      /* documentation, as the two below */
    { { 192, 88, 99 }, 24 },    /* 6to4 relays */
    { { 192, 168 }, 16 },
    { { 198, 18 }, 15 },        /* benchmarks */
    { { 198, 51, 100 }, 24 },
    { { 203, 0, 113 }, 24 },
    { { 224 }, 3 }              /* multicast, reserved, broadcast */
};

/* Beyond these, only 2000::/3 is public. */
static const net_t closed6[] = {
    { { 0x20, 0x01, 0x00 }, 23 },       /* Teredo, ORCHID and others */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x3f, 0xff }, 20 }
};

static const net_t public6 = { { 0x20 }, 3 };

/* IPv6 forms that stand for an IPv4 address: offset of its four bytes. */
static const struct {
    net_t net;
    int offset;
} carriers[] = {
    { { { [10] = 0xff, [11] = 0xff }, 96 }, 12 },           /* v4-mapped */
    { { { 0x00, 0x64, 0xff, 0x9b }, 96 }, 12 },             /* NAT64 */
    { { { 0x20, 0x02 }, 16 }, 2 }                           /* 6to4 */
};

static int in_net(const unsigned char *addr, const unsigned char *net, int bits)
{
    int whole = bits / 8;
    int rest = bits % 8;

    if (memcmp(addr, net, (size_t)whole)) {
        return 0;
    }
    return !rest || !((addr[whole] ^ net[whole]) & (0xff00 >> rest) & 0xff);
}

static int in_one_of(const unsigned char *addr, const net_t *nets, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (in_net(addr, nets[i].addr, nets[i].bits)) {
            return 1;
        }
    }
    return 0;
}

static int is_public4(const unsigned char *addr)
{
    return !in_one_of(addr, closed4, sizeof(closed4) / sizeof(closed4[0]));
}

/* The IPv4 address that an IPv6 address carries, or NULL. */
static const unsigned char *carried(const unsigned char *addr)
{
    size_t i;

    for (i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
        if (in_net(addr, carriers[i].net.addr, carriers[i].net.bits)) {
            return addr + carriers[i].offset;
        }
    }
    return NULL;
}

static int is_public6(const unsigned char *addr)
{
    return in_net(addr, public6.addr, public6.bits)
           && !in_one_of(addr, closed6, sizeof(closed6) / sizeof(closed6[0]));
}

static int rule_matches(const rule_t *rule, int family,
                        const unsigned char *addr, const char *host, int port)
{
    if (rule->port && rule->port != port) {
        return 0;
    }
    switch (rule->kind) {
    case RULE_ALL:
        return 1;
    case RULE_NET:
        return rule->family == family && in_net(addr, rule->addr, rule->bits);
    default:
        return host && !strcmp(rule->host, host);
    }
}

static int is_allowed(const mastra_guard_t *guard, int family,
                      const unsigned char *addr, const char *host, int port)
{
    int i;

    for (i = 0; guard && i < guard->count; i++) {
        if (rule_matches(&guard->rules[i], family, addr, host, port)) {
            return 1;
        }
    }
    return 0;
}

int mastra_guard_permits(const mastra_guard_t *guard, const char *host,
                         int port, const struct sockaddr *addr)
{
    const unsigned char *bytes, *inner;

    if (addr->sa_family == AF_INET) {
        bytes = (const void *)&((const struct sockaddr_in *)addr)->sin_addr;
        return is_public4(bytes)
               || is_allowed(guard, AF_INET, bytes, host, port);
    }
    if (addr->sa_family != AF_INET6) {
        return 0;
    }
    bytes = (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr;
    inner = carried(bytes);
    if (inner) {
        return is_public4(inner)
               || is_allowed(guard, AF_INET, inner, host, port)
               || is_allowed(guard, AF_INET6, bytes, host, port);
    }
    return is_public6(bytes)
           || is_allowed(guard, AF_INET6, bytes, host, port);
}

int mastra_guard_permits_text(const mastra_guard_t *guard, const char *host,
                              int port, const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    char bare[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "%");    /* a zone may follow */

    if (len >= sizeof(bare)) {
        return 0;
    }
    memcpy(bare, text, len);
    bare[len] = '\0';
    if (inet_pton(AF_INET, bare, &v4.sin_addr) == 1) {
        return mastra_guard_permits(guard, host, port, (void *)&v4);
    }
    if (inet_pton(AF_INET6, bare, &v6.sin6_addr) == 1) {
        return mastra_guard_permits(guard, host, port, (void *)&v6);
    }
    return 0;
}

/* ---- rules ---- */

mastra_guard_t *mastra_guard_make(apr_pool_t *pool)
{
    mastra_guard_t *guard = apr_pcalloc(pool, sizeof(*guard));

    guard->pool = pool;
    return guard;
}

static void add_rule(mastra_guard_t *guard, const rule_t *rule)
{
    if (guard->count == guard->size) {
        int size = guard->size ? guard->size * 2 : 8;
        rule_t *rules = apr_palloc(guard->pool,
                                   (apr_size_t)size * sizeof(*rules));

        if (guard->count) {
            memcpy(rules, guard->rules,
                   (apr_size_t)guard->count * sizeof(*rules));
        }
        guard->rules = rules;
        guard->size = size;
    }
    guard->rules[guard->count++] = *rule;
}

/* A decimal number from 0 to max and nothing else; -1 if it is not. */
static int number(const char *text, int max)
{
    long value = 0;

    if (!*text) {
        return -1;
    }
    for (; *text; text++) {
        if (!apr_isdigit(*text)) {
            return -1;
        }
        value = value * 10 + (*text - '0');
        if (value > max) {
            return -1;
        }
    }
    return (int)value;
}

static int parse_address(rule_t *rule, const char *text)
{
    if (inet_pton(AF_INET, text, rule->addr) == 1) {
        rule->family = AF_INET;
        rule->bits = 32;
    }
    else if (inet_pton(AF_INET6, text, rule->addr) == 1) {
        rule->family = AF_INET6;
        rule->bits = 128;
    }
    else {
        return 0;
    }
    rule->kind = RULE_NET;
    return 1;
}

static const char *parse_net(rule_t *rule, char *text, char *slash)
{
    int bits;

    *slash = '\0';
    if (!parse_address(rule, text)) {
        return "what stands before the slash is not an address";
    }
    bits = number(slash + 1, rule->bits);
    if (bits < 0) {
        return "the number of bits after the slash does not fit the address";
    }
    rule->bits = bits;
    return NULL;
}

static const char *parse_host(rule_t *rule, char *text)
{
    size_t len = strlen(text);

    if (len && text[len - 1] == '.') {
        text[--len] = '\0';
    }
    if (!len || len > 253
        || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-._") != len) {
        return "this is neither \"*\", an address, a network nor a host name";
    }
    if (strspn(text, "0123456789.") == len) {
        return "this is not a complete address";
    }
    rule->kind = RULE_HOST;
    rule->host = text;
    return NULL;
}

/* Cuts ":port" off text, and the brackets of [address]:port. */
static const char *parse_port(rule_t *rule, char **ptext)
{
    char *text = *ptext;
    char *colon = strrchr(text, ':');

    if (*text == '[') {
        char *end = strchr(text, ']');

        if (!end || (end[1] && end[1] != ':')) {
            return "a bracket is not closed";
        }
        colon = end[1] ? end + 1 : NULL;
        *end = '\0';
        *ptext = text + 1;
    }
    else if (colon && strchr(text, ':') != colon) {
        return NULL;            /* a bare IPv6 address */
    }
    if (colon) {
        *colon = '\0';
        rule->port = number(colon + 1, 65535);
        if (rule->port <= 0) {
            return "the port is not a number from 1 to 65535";
        }
    }
    return NULL;
}

const char *mastra_guard_allow(mastra_guard_t *guard, const char *text)
{
    rule_t rule = { .kind = RULE_ALL };
    char *copy = apr_pstrdup(guard->pool, text);
    const char *error = NULL;
    char *p;

    for (p = copy; *p; p++) {
        *p = apr_tolower(*p);
    }
    p = strchr(copy, '/');
    if (p) {
        error = parse_net(&rule, copy, p);
    }
    else if (strcmp(copy, "*")) {
        error = parse_port(&rule, &copy);
        if (!error && !parse_address(&rule, copy)) {
            error = parse_host(&rule, copy);
        }
    }
    if (!error) {
        add_rule(guard, &rule);
    }
    return error;
}
