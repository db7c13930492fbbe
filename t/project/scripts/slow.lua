-- Takes as many milliseconds as asked for.
local json = require "cjson.safe"

function handle(r)
    local input = json.decode(r:requestbody() or "") or {}
    r.usleep((tonumber(input.ms) or 0) * 1000)
    r.content_type = "application/json"
    r:puts(json.encode({ waited = tonumber(input.ms) or 0 }))
    return apache2.OK
end
