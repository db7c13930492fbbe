-- Fails as many times as it is told, by key.
local json = require "cjson.safe"

function handle(r)
    local body = r:requestbody() or ""
    local input = json.decode(body) or {}
    local name = r.subprocess_env["SCRATCH"] .. "/flaky-" .. input.key
    local file = io.open(name)
    local count = file and tonumber(file:read("*a")) or 0
    if file then file:close() end
    file = io.open(name, "w")
    file:write(tostring(count + 1))
    file:close()
    r.content_type = "application/json"
    if count < input.times then
        r.status = 500
        body = json.encode({ error = "not yet" })
    end
    r:puts(body)
    return apache2.OK
end
