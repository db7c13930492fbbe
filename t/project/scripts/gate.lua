-- A middleware: does what the header X-Gate says, and shows what it was told.
local json = require "cjson.safe"

function handle(r)
    local what = r.headers_in["X-Gate"] or ""

    r.headers_out["X-Gate-Saw"] = r.method .. " " .. (r.subprocess_env["MASTRA_METHOD"] or "-")
        .. " " .. (r.subprocess_env["MASTRA_PATH"] or "-")
    r.headers_out["X-Gate-User"] = r.subprocess_env["MASTRA_USER_ID"]
    r.headers_out["X-Gate-Client"] = r.headers_in["X-Mastra-Client-Type"]
    r.headers_out["X-Gate-Cloud"] = r.headers_in["X-Mastra-Cloud"]
    r.headers_out["X-Gate-Playground"] = r.headers_in["X-Mastra-Dev-Playground"]
    r.headers_out["X-Gate-Body"] = tostring(#(r:requestbody() or ""))
    r.headers_out["X-Gate-Forged"] = r.headers_in["X-Mastra-Internal-Tenant"]
    local context = json.decode(r.subprocess_env["MASTRA_REQUEST_CONTEXT"] or "{}")
    r.headers_out["X-Gate-Color"] = context.color
    r.headers_out["X-Order"] = (context.order or "") .. (r.args or "")
    r.headers_out["X-Mastra-Context-order"] = (context.order or "") .. (r.args or "")
    if what == "context" then
        r.headers_out["X-Mastra-Context-color"] = "green"
        r.headers_out["X-Mastra-Context-plan"] = '{"name":"gold","seats":3}'
        r.headers_out["X-Mastra-Context-count"] = "7"
    elseif what == "resource" then
        r.headers_out["X-Mastra-Context-mastra__resourceId"] = "tenant-1"
    elseif what == "thread" then
        r.headers_out["X-Mastra-Context-mastra__resourceId"] = "tenant-1"
        r.headers_out["X-Mastra-Context-Mastra__ThreadId"] = "thread-of-tenant-1"
    elseif what == "stop" then
        r.status = 403
        r.content_type = "application/json"
        r.headers_out["Location"] = "/elsewhere"
        r:puts('{"stopped":true}')
    elseif what == "large" then
        r:puts(string.rep("x", 2 * 1024 * 1024))
    elseif what == "fail" then
        error("on purpose")
    elseif tonumber(what) then
        return tonumber(what)
    end
    return apache2.OK
end
