-- Gives back what it was given.
function handle(r)
    r.content_type = "application/json"
    r:puts(r:requestbody() or "{}")
    return apache2.OK
end
