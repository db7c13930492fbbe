-- A route of one's own: GET /hello/:name greets whom its path names.
local json = require "cjson.safe"

function handle(r)
    r.content_type = "application/json"
    r:puts(json.encode({ hello = r.subprocess_env["MASTRA_PARAM_name"] }))
    return apache2.OK
end
