-- Says what a user may: "visitor" may read, "odd" gets an answer of no use.
local json = require "cjson.safe"

function handle(r)
    local text = (r.headers_in["X-Mastra-User"] or ""):gsub("%%(%x%x)", function(hex)
        return string.char(tonumber(hex, 16))
    end)
    local user = json.decode(text)

    r.content_type = "text/plain"
    if not user then
        return 403
    elseif user.sub == "odd" then
        return 500
    elseif user.sub == "visitor" and not r.headers_in["X-Mastra-Permission"]:match(":read$") then
        return 403
    end
    r:puts("as you like, " .. user.name)
    return apache2.OK
end
