-- Always fails.
function handle(r)
    r.status = 500
    r.content_type = "application/json"
    r:puts('{"error":"tool exploded"}')
    return apache2.OK
end
