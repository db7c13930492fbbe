-- Takes its time: n milliseconds, at least fifty.
local json = require "cjson.safe"

function handle(r)
    local input = json.decode(r:requestbody() or "") or {}
    r.usleep(math.max(tonumber(input.n) or 0, 50) * 1000)
    r.content_type = "application/json"
    r:puts('{"n":' .. json.encode(input.n) .. '}')
    return apache2.OK
end
