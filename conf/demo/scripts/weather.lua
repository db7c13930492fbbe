-- A tool is any handler that takes JSON and gives JSON: this one knows the weather everywhere.
local json = require "cjson.safe"

function handle(r)
    r.content_type = "application/json"
    local input = json.decode(r:requestbody() or "")
    if type(input) ~= "table" or type(input.city) ~= "string" then
        r.status = 400
        r:puts(json.encode({ error = "city is missing" }))
        return apache2.OK
    end
    -- a Lua table has no order; the answer shall
    r:puts('{"city":' .. json.encode(input.city) .. ',"tempC":21,"conditions":"sunny"}')
    return apache2.OK
end
