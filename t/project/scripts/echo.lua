-- Gives back its input and what came with it.
local json = require "cjson.safe"

function handle(r)
    r.content_type = "application/json"
    local seen = {}
    for _, name in ipairs({ "Idempotency-Key", "X-Mastra-Run-Id", "X-Mastra-Agent-Id",
                            "X-Mastra-Internal-Secret", "Content-Type" }) do
        seen[name] = r.headers_in[name]
    end
    r:puts(json.encode({ input = json.decode(r:requestbody() or "") or json.null,
                         method = r.method, headers = seen }))
    return apache2.OK
end
