-- Says something else of errors.
local json = require "cjson.safe"

function handle(r)
    local told = json.decode(r:requestbody() or "") or {}

    if told.error and told.error.message:match("nothing") then
        return apache2.DONE
    end
    r.content_type = "application/problem+json"
    r.status = told.error.status == 404 and 410 or told.error.status
    r:puts(json.encode({ title = "mended", told = told,
                         secret = r.headers_in["X-Mastra-Internal-Secret"] }))
    return apache2.OK
end
