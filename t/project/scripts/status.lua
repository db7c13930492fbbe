-- Answers with the status asked for, and a body that says so.
local json = require "cjson.safe"

function handle(r)
    local input = json.decode(r:requestbody() or "") or {}
    r.status = tonumber(input.status) or 200
    r.content_type = "application/json"
    r:puts(json.encode({ status = r.status }))
    return apache2.OK
end
