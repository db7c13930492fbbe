-- A text of as many bytes as asked for.
local json = require "cjson.safe"

function handle(r)
    local input = json.decode(r:requestbody() or "") or {}
    r.content_type = "application/json"
    r:puts('{"text":"', string.rep("x", tonumber(input.bytes) or 0), '"}')
    return apache2.OK
end
