-- Says all that it is told about a request.
local json = require "cjson.safe"

local variables = {
    "METHOD", "PATH", "URL", "ROUTE", "REQUEST_ID", "USER", "USER_ID", "RESOURCE_ID",
    "REQUEST_CONTEXT", "PARAMS", "PARAM_name", "PARAM_a", "PARAM_b", "PARAM_REST", "API_URL"
}
local headers = {
    "content-type", "x-request-id", "x-mastra-internal-user", "x-mastra-internal-params",
    "x-mastra-internal-request-context", "x-mastra-internal-secret",
    "x-mastra-internal-anything", "x-mastra-context-role", "x-mastra-other"
}

local function pick(from, names, prefix)
    local found = {}
    for _, name in ipairs(names) do
        found[prefix .. name] = from[prefix .. name]
    end
    return found
end

function handle(r)
    r.content_type = "application/json"
    r.headers_out["X-Told"] = "yes"
    if r.args == "status=410" then
        r.status = 410
    end
    r:puts(json.encode({ method = r.method, uri = r.uri, args = r.args or "",
                         told = pick(r.subprocess_env, variables, "MASTRA_"),
                         headers = pick(r.headers_in, headers, ""),
                         body = r:requestbody() or "" }))
    return apache2.OK
end
