-- Says that it deleted a file, and touches none: what matters is that a person approves first.
local json = require "cjson.safe"

function handle(r)
    r.content_type = "application/json"
    local input = json.decode(r:requestbody() or "")
    if type(input) ~= "table" or type(input.path) ~= "string" then
        r.status = 400
        r:puts(json.encode({ error = "path is missing" }))
        return apache2.OK
    end
    r:puts('{"deleted":true,"path":' .. json.encode(input.path) .. '}')
    return apache2.OK
end
