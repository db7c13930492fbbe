-- Says who has a token: "name:x" is x; "status:n", "text:x" and "long:n" are answers of no use.
local json = require "cjson.safe"

function handle(r)
    local token = (r.headers_in["Authorization"] or ""):gsub("^Bearer ", "")
    local kind, value = token:match("^(%a+):(.*)$")

    r.content_type = "application/json"
    if kind == "name" then
        r:puts(json.encode({ id = value, name = r.headers_in["X-Mastra-Method"] .. " "
                                                .. r.headers_in["X-Mastra-Path"] }))
    elseif kind == "status" then
        return tonumber(value)
    elseif kind == "text" then
        r:puts(value)
    elseif kind == "long" then
        r:puts('{"id":"' .. string.rep("x", tonumber(value)) .. '"}')
    else
        return 401
    end
    return apache2.OK
end
