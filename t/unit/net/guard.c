/* Which addresses a request that is not trusted may reach. */

#include <stdlib.h>

#include <netinet/in.h>
#include <arpa/inet.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "net/client.h"
#include "net/internal.h"
#include "tap.h"

static apr_pool_t *pool;

static const char *const closed[] = {
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1",
    "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.0.9",
    "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.192", "192.0.2.5", "192.88.99.1",
    "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.9",
    "203.0.113.7", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378::1",
    "2001:10::1", "2001:db8::1", "2002:7f00:1::1", "2002:c0a8:1::1",
    "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff02::1", "4000::1", "nonsense", ""
};

static const char *const open_to_all[] = {
    "1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1",
    "126.255.255.255", "128.0.0.1", "168.63.129.15", "169.253.255.255",
    "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "223.255.255.255", "::ffff:1.1.1.1", "64:ff9b::101:101",
    "2001:200::1", "2002:101:101::1", "2600::1", "2a00:1450::8a"
};

typedef struct {
    const char *rule;
    const char *host;
    int port;
    const char *address;
    int permits;
} rule_case_t;

static const rule_case_t rule_cases[] = {
    { "*", "x", 80, "127.0.0.1", 1 },
    { "*", "x", 80, "::1", 1 },
    { "127.0.0.1", "x", 80, "127.0.0.1", 1 },
    { "127.0.0.1", "x", 80, "127.0.0.2", 0 },
    { "127.0.0.1", "x", 80, "::ffff:127.0.0.1", 1 },
    { "127.0.0.1", "x", 80, "::1", 0 },
    { "127.0.0.1:8080", "x", 8080, "127.0.0.1", 1 },
    { "127.0.0.1:8080", "x", 80, "127.0.0.1", 0 },
    { "10.0.0.0/8", "x", 80, "10.9.8.7", 1 },
    { "10.0.0.0/8", "x", 80, "11.9.8.7", 1 },
    { "10.0.0.0/8", "x", 80, "192.168.0.1", 0 },
    { "192.168.3.128/25", "x", 80, "192.168.3.200", 1 },
    { "192.168.3.128/25", "x", 80, "192.168.3.100", 0 },
    { "0.0.0.0/0", "x", 80, "127.0.0.1", 1 },
    { "0.0.0.0/0", "x", 80, "::1", 0 },
    { "::/0", "x", 80, "fe80::1", 1 },
    { "fd00::/8", "x", 80, "fd12::1", 1 },
    { "fd00::/8", "x", 80, "fc12::1", 0 },
    { "::1", "x", 80, "::1", 1 },
    { "[::1]:8080", "x", 8080, "::1", 1 },
    { "[::1]:8080", "x", 80, "::1", 0 },
    { "[::1]", "x", 80, "::1", 1 },
    { "Tools.Example", "tools.example", 80, "10.0.0.1", 1 },
    { "tools.example.", "tools.example", 80, "10.0.0.1", 1 },
    { "tools.example", "other.example", 80, "10.0.0.1", 0 },
    { "tools.example", "a.tools.example", 80, "10.0.0.1", 0 },
    { "tools.example", "other.example", 80, "1.1.1.1", 1 },
    { "tools.example:8080", "tools.example", 8080, "10.0.0.1", 1 },
    { "tools.example:8080", "tools.example", 80, "10.0.0.1", 0 }
};

static const char *const bad_rules[] = {
    "", ":80", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0/8", "::/129",
    "/8", "host:0", "host:65536", "host:http", "host:", "[::1", "[::1]x",
    "1.2.3", "1.2.3.4.5", "a b", "http://host", "*.example", "host/8"
};

static int permits(const mastra_guard_t *guard, const char *address)
{
    return mastra_guard_permits_text(guard, "host.example", 443, address);
}

int main(void)
{
    mastra_guard_t *guard, *many;
    struct sockaddr unknown = { .sa_family = AF_UNIX };
    size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    guard = mastra_guard_make(pool);
    for (i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        ok(!permits(guard, closed[i]),
           apr_psprintf(pool, "'%s' is closed", closed[i]));
    }
    for (i = 0; i < sizeof(open_to_all) / sizeof(open_to_all[0]); i++) {
        ok(permits(guard, open_to_all[i]),
           apr_psprintf(pool, "%s is open", open_to_all[i]));
    }
    ok(!mastra_guard_permits(guard, "x", 80, &unknown),
       "only IP is known at all");
    ok(!permits(NULL, "127.0.0.1") && permits(NULL, "1.1.1.1"),
       "no guard is one without rules");
    many = mastra_guard_make(pool);
    for (i = 0; i < sizeof(rule_cases) / sizeof(rule_cases[0]); i++) {
        const rule_case_t *c = &rule_cases[i];

        guard = mastra_guard_make(pool);
        is_str(mastra_guard_allow(guard, c->rule), NULL, c->rule);
        is_int(mastra_guard_permits_text(guard, c->host, c->port, c->address),
               c->permits,
               apr_psprintf(pool, "%s and %s:%d at %s", c->rule, c->host,
                            c->port, c->address));
        if (i > 1 && strchr(c->rule, '.') && !strstr(c->rule, "/0")) {
            mastra_guard_allow(many, c->rule);
        }
    }
    ok(permits(many, "10.1.1.1") && permits(many, "127.0.0.1")
       && !permits(many, "127.0.0.2"), "many rules");
    for (i = 0; i < sizeof(bad_rules) / sizeof(bad_rules[0]); i++) {
        ok(mastra_guard_allow(guard, bad_rules[i]) != NULL,
           apr_psprintf(pool, "'%s' is no rule", bad_rules[i]));
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
