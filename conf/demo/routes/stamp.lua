-- A middleware: marks each answer of the API, and answers itself when it is asked to.
function handle(r)
    r.headers_out["X-Mw"] = "hit"
    if r.headers_in["X-Block"] == "1" then
        r.status = 418
        r.content_type = "application/json"
        r:puts('{"blocked":true}')
    end
    return apache2.OK
end
