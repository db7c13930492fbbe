-- Says a line each 300 ms, as long as somebody listens.
function handle(r)
    r.content_type = "text/event-stream"
    for i = 1, 400 do
        r:puts("data: " .. i .. "\n\n")
        if not r:flush() then
            r:info("nobody listens after step " .. i)
            return apache2.OK
        end
        r.usleep(300000)
    end
    return apache2.OK
end
