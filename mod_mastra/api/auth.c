/* /auth: what authentication can do, who is asking, which roles may do what.
 * Sessions and sign-in are the business of whoever gives out the tokens. */
#include <string.h>

#include <http_core.h>

#include "../http/router.h"

/* an address as clients check it, too */
#define EMAIL \
    "{\"type\":\"string\",\"format\":\"email\",\"pattern\":\"" \
    "^(?:[A-Za-z0-9_'+\\\\-]+\\\\.)*[A-Za-z0-9_'+\\\\-]*[A-Za-z0-" \
    "9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\\\\-]*\\\\.)+[A-Za-z]{2,}$" \
    "\"}"

static const char sign_in_body[] =
    "{\"type\":\"object\",\"properties\":{\"email\":" EMAIL ","
    "\"password\":{\"type\":\"string\",\"minLength\":1}},"
    "\"required\":[\"email\",\"password\"]}";
static const char sign_up_body[] =
    "{\"type\":\"object\",\"properties\":{\"email\":" EMAIL ","
    "\"password\":{\"type\":\"string\",\"minLength\":1},"
    "\"name\":{\"type\":\"string\"}},"
    "\"required\":[\"email\",\"password\"]}";
static const char callback_query[] =
    "{\"type\":\"object\",\"properties\":{\"code\":{\"type\":\"string\"},"
    "\"state\":{\"type\":\"string\"}},\"required\":[\"code\"]}";

static int reply_constant(mastra_req_t *req, const char *text)
{
    return mastra_reply_text(req, "application/json", text, strlen(text));
}

/* These routes are public: nobody looked yet. A user without an id is shown
 * as nobody, though other routes let them in. */
static const mastra_identity_t *who(mastra_req_t *req)
{
    const mastra_identity_t *identity;

    mastra_auth_identify(&identity, &req->host->auth, req->r);
    return identity && !identity->system && identity->id ? identity : NULL;
}

static mastra_json_t *user_of(const mastra_identity_t *identity)
{
    mastra_json_t *user = mastra_json_object();

    mastra_json_set_str(user, "id", identity->id);
    mastra_json_set_str(user, "email",
                        mastra_json_get_str(identity->user, "email"));
    mastra_json_set_str(user, "name",
                        mastra_json_get_str(identity->user, "name"));
    mastra_json_set_str(user, "avatarUrl",
                        mastra_json_get_str(identity->user, "picture"));
    return user;
}

static mastra_json_t *roles_of(const mastra_identity_t *identity)
{
    mastra_json_t *roles = mastra_json_array();
    int i;

    for (i = 0; i < identity->roles->nelts; i++) {
        mastra_json_append(roles, mastra_json_string(
                               APR_ARRAY_IDX(identity->roles, i,
                                             const char *)));
    }
    return roles;
}

static int get_capabilities(mastra_req_t *req)
{
    const mastra_auth_t *auth = &req->host->auth;
    const mastra_identity_t *identity;
    mastra_json_t *access;

    if (!mastra_auth_is_on(auth)) {
        return reply_constant(req, "{\"enabled\":false,\"login\":null}");
    }
    identity = who(req);
    if (!identity) {
        return reply_constant(req, "{\"enabled\":true,\"login\":null}");
    }
    access = auth->roles
             ? mastra_json_pack("{s:o, s:o}", "roles", roles_of(identity),
                                "permissions",
                                mastra_auth_granted(auth, identity))
             : mastra_json_null();
    return mastra_reply_json(req, mastra_json_pack(
        "{s:b, s:n, s:o, s:{s:b, s:b, s:b, s:b, s:b, s:b}, s:o}", "enabled", 1,
        "login", "user", user_of(identity), "capabilities", "user", 1,
        "session", 0, "sso", 0, "rbac", auth->roles != NULL, "acl", 0, "fga",
        0, "access", access));
}

static int get_me(mastra_req_t *req)
{
    const mastra_auth_t *auth = &req->host->auth;
    const mastra_identity_t *identity = who(req);
    mastra_json_t *user;

    if (!identity) {
        return reply_constant(req, "null");
    }
    user = user_of(identity);
    if (auth->roles) {
        mastra_json_set(user, "roles", roles_of(identity));
        mastra_json_set(user, "permissions",
                        mastra_auth_granted(auth, identity));
    }
    return mastra_reply_json(req, user);
}

/* --- roles ----------------------------------------------------------------- */

/* The whole list that clients offer for choice, in their order. */
static const char patterns[] =
    "{\"patterns\":[\"*\",\"*:create\",\"*:delete\",\"*:execute\","
    "\"*:publish\",\"*:read\",\"*:share\",\"*:write\",\"a2a:*\","
    "\"agent-builder:*\",\"agent-controller:*\",\"agents:*\",\"auth:*\","
    "\"background-tasks:*\",\"channels:*\",\"datasets:*\",\"embedders:*\","
    "\"experiments:*\",\"infrastructure:*\",\"logs:*\",\"mcp:*\","
    "\"memory:*\",\"observability:*\",\"processor-providers:*\","
    "\"processors:*\",\"schedules:*\",\"scores:*\",\"stored-agents:*\","
    "\"stored-mcp-clients:*\",\"stored-prompt-blocks:*\","
    "\"stored-scorers:*\",\"stored-skills:*\",\"stored-workflows:*\","
    "\"stored-workspaces:*\",\"system:*\",\"tool-providers:*\",\"tools:*\","
    "\"vector:*\",\"vectors:*\",\"workflows:*\",\"workspaces:*\","
    "\"a2a:read\",\"a2a:write\",\"agent-builder:execute\","
    "\"agent-builder:read\",\"agent-builder:write\","
    "\"agent-controller:execute\",\"agent-controller:read\","
    "\"agents:create\",\"agents:delete\",\"agents:execute\","
    "\"agents:read\",\"agents:write\",\"auth:read\","
    "\"background-tasks:read\",\"channels:read\",\"channels:write\","
    "\"datasets:delete\",\"datasets:execute\",\"datasets:read\","
    "\"datasets:write\",\"embedders:read\",\"experiments:delete\","
    "\"experiments:read\",\"infrastructure:read\",\"logs:read\","
    "\"mcp:execute\",\"mcp:read\",\"mcp:write\",\"memory:delete\","
    "\"memory:execute\",\"memory:read\",\"memory:write\","
    "\"observability:delete\",\"observability:read\","
    "\"observability:write\",\"processor-providers:read\","
    "\"processors:execute\",\"processors:read\",\"schedules:delete\","
    "\"schedules:execute\",\"schedules:read\",\"schedules:write\","
    "\"scores:read\",\"scores:write\",\"stored-agents:delete\","
    "\"stored-agents:publish\",\"stored-agents:read\","
    "\"stored-agents:write\",\"stored-mcp-clients:delete\","
    "\"stored-mcp-clients:publish\",\"stored-mcp-clients:read\","
    "\"stored-mcp-clients:write\",\"stored-prompt-blocks:delete\","
    "\"stored-prompt-blocks:publish\",\"stored-prompt-blocks:read\","
    "\"stored-prompt-blocks:write\",\"stored-scorers:delete\","
    "\"stored-scorers:publish\",\"stored-scorers:read\","
    "\"stored-scorers:write\",\"stored-skills:delete\","
    "\"stored-skills:publish\",\"stored-skills:read\","
    "\"stored-skills:write\",\"stored-workflows:read\","
    "\"stored-workflows:write\",\"stored-workspaces:delete\","
    "\"stored-workspaces:read\",\"stored-workspaces:write\","
    "\"system:read\",\"tool-providers:delete\",\"tool-providers:read\","
    "\"tool-providers:write\",\"tools:execute\",\"tools:read\","
    "\"vector:delete\",\"vector:execute\",\"vector:read\","
    "\"vector:write\",\"vectors:read\",\"workflows:delete\","
    "\"workflows:execute\",\"workflows:read\",\"workflows:write\","
    "\"workspaces:delete\",\"workspaces:read\",\"workspaces:write\","
    "\"stored:*\",\"stored:read\",\"stored:write\",\"stored:delete\","
    "\"stored-agents:share\",\"stored-skills:share\"]}";

static int get_patterns(mastra_req_t *req)
{
    return reply_constant(req, patterns);
}

static int get_role(mastra_req_t *req)
{
    const mastra_auth_t *auth = &req->host->auth;
    const char *name = mastra_req_param(req, "roleId");
    mastra_json_t *granted;

    if (!auth->roles || !mastra_auth_may(auth, req->identity, "*:*")) {
        return mastra_reply_fail(req, 403, "Admin access required");
    }
    granted = mastra_auth_role(auth, name);
    if (!granted) {
        granted = mastra_json_array();
    }
    return mastra_reply_json(req, mastra_json_pack("{s:s, s:o}", "roleId",
                                                   name, "permissions",
                                                   granted));
}

/* --- what belongs to sessions ---------------------------------------------- */

static int no_logout(mastra_req_t *req)
{
    return mastra_reply_fail(req, 404, "Logout not configured");
}

static int no_refresh(mastra_req_t *req)
{
    return mastra_reply_fail(req, 404, "Session refresh not configured");
}

static int no_sso(mastra_req_t *req)
{
    return mastra_reply_fail(req, 404, "SSO not configured");
}

/* Whoever comes back from a sign-in page is a browser. */
static int no_callback(mastra_req_t *req)
{
    apr_table_setn(req->r->headers_out, "Location",
                   ap_construct_url(req->pool, "/?error=sso_not_configured",
                                    req->r));
    req->r->status = HTTP_MOVED_TEMPORARILY;
    return mastra_reply_text(req, "text/plain; charset=UTF-8", "", 0);
}

static int no_credentials(mastra_req_t *req)
{
    return mastra_reply_fail(req, 404, "Credentials authentication not "
                                       "configured");
}

#define AUTH .tag = "Auth"
#define PUBLIC .flags = MASTRA_ROUTE_PUBLIC

const mastra_route_t mastra_api_auth[] = {
    { .method = "GET", .path = "/auth/capabilities",
      .handler = get_capabilities, .summary = "Get auth capabilities", AUTH,
      PUBLIC },
    { .method = "GET", .path = "/auth/me", .handler = get_me,
      .summary = "Get current user", AUTH, PUBLIC },
    { .method = "GET", .path = "/auth/sso/login", .handler = no_sso,
      .summary = "Initiate SSO login", AUTH, PUBLIC },
    { .method = "GET", .path = "/auth/sso/callback", .handler = no_callback,
      .summary = "Handle SSO callback", AUTH, .query = callback_query,
      PUBLIC },
    { .method = "POST", .path = "/auth/logout", .handler = no_logout,
      .summary = "Logout", AUTH, PUBLIC },
    { .method = "POST", .path = "/auth/refresh", .handler = no_refresh,
      .summary = "Refresh session", AUTH, PUBLIC },
    { .method = "POST", .path = "/auth/credentials/sign-in",
      .handler = no_credentials, .summary = "Sign in with credentials", AUTH,
      .body = sign_in_body, PUBLIC },
    { .method = "POST", .path = "/auth/credentials/sign-up",
      .handler = no_credentials, .summary = "Sign up with credentials", AUTH,
      .body = sign_up_body, PUBLIC },
    { .method = "GET", .path = "/auth/roles/:roleId/permissions",
      .handler = get_role, .summary = "Get permissions for a role", AUTH },
    { .method = "GET", .path = "/auth/permission-patterns",
      .handler = get_patterns, .summary = "List valid permission patterns",
      AUTH },
    { .method = NULL }
};
