/* What the run of a channel says goes to its log, and to the client that there
 * may be. */

#include "hub_internal.h"

/* Whoever watches a thread is not shown what fills a step's end. */
mastra_json_t *mastra_chunk_brief(mastra_json_t *chunk)
{
    mastra_json_t *payload = mastra_json_get(chunk, "payload"), *output;

    if (!mastra_part_is(chunk, "step-finish")
        && !mastra_part_is(chunk, "finish")) {
        return mastra_json_ref(chunk);
    }
    chunk = mastra_json_copy_flat(chunk);
    payload = mastra_json_copy_flat(payload);
    output = mastra_json_copy_flat(mastra_json_get(payload, "output"));
    mastra_json_del(output, "steps");
    mastra_json_del(payload, "messages");
    mastra_json_set(payload, "output", output);
    mastra_json_set(chunk, "payload", payload);
    return chunk;
}

/* An error is the last that watchers hear of a run: they do when what had come
 * of the answer is stored, at the run's end. */
static void say_held(void *baton)
{
    mastra_channel_t *channel = baton;
    mastra_json_t *chunk = channel->held;

    channel->held = NULL;
    mastra_loop_timer_stop(channel->hub->loop, &channel->timer);
    if (chunk && channel->log && !channel->lost) {
        mastra_log_chunk(channel->log, chunk);
    }
    mastra_json_unref(chunk);
}

static int log_chunk(mastra_channel_t *channel, mastra_json_t *chunk)
{
    int go = 1;

    if (channel->quiet || !channel->log) {
        return 1;
    }
    if (mastra_part_is(chunk, "error")) {
        channel->quiet = 1;
        channel->held = mastra_json_ref(chunk);
        mastra_loop_timer_set(channel->hub->loop, &channel->timer,
                              mastra_run_tells_after(channel->env), say_held,
                              channel);
        return 1;
    }
    chunk = mastra_chunk_brief(chunk);
    go = mastra_log_chunk(channel->log, chunk);
    channel->quiet = mastra_part_is(chunk, "abort");
    mastra_json_unref(chunk);
    return go;
}

static void say_error(mastra_channel_t *channel, const mastra_result_t *error)
{
    mastra_json_t *chunk = mastra_json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:{s:s, s:s, s:s, s:i, s:b}}}", "type",
        "error", "runId", channel->claim->run, "from", "AGENT", "payload",
        "type", "error", "error", "message", error->message, "name", "Error",
        "code", error->code, "statusCode", error->status, "isRetryable",
        error->status >= 500);

    log_chunk(channel, chunk);
    say_held(channel);
    mastra_json_unref(chunk);
}

static const mastra_result_t is_stopping = {
    .status = 503, .code = "SERVER_STOPPING",
    .message = "The server is restarting"
};

/* The client may come back for what follows the chunk that it gets next. */
static void mark(mastra_channel_t *channel)
{
    mastra_event_at_t at = { .part = channel->claim->epoch };

    if (channel->client->vtable->mark && channel->log && !channel->quiet) {
        at.seq = mastra_log_last(channel->log);
        channel->client->vtable->mark(channel->client, at);
    }
}

int mastra_channel_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    mastra_channel_t *channel = (mastra_channel_t *)sink;
    int go;

    if (channel->stops && mastra_part_is(chunk, "abort")) {
        say_error(channel, &is_stopping);
    }
    go = mastra_run_heed(channel->run, MASTRA_SLOW_LOG,
                         log_chunk(channel, chunk));
    if (channel->client) {
        mark(channel);
        go &= mastra_run_heed(channel->run, MASTRA_SLOW_CLIENT,
                              channel->client->vtable->chunk(channel->client,
                                                             chunk));
    }
    return go;
}

int mastra_channel_text(mastra_sink_t *sink, const char *run_id,
                        const char *type, const char *id, const char *text,
                        apr_size_t len)
{
    mastra_channel_t *channel = (mastra_channel_t *)sink;
    int go = channel->quiet || !channel->log
             || mastra_run_heed(channel->run, MASTRA_SLOW_LOG,
                                mastra_log_text(channel->log, run_id, type, id,
                                                text, len));

    if (channel->client) {
        mark(channel);
        go &= mastra_run_heed(channel->run, MASTRA_SLOW_CLIENT,
                              mastra_sink_text(channel->client, run_id, type,
                                               id, text, len));
    }
    return go;
}

void mastra_channel_say_end(mastra_channel_t *channel,
                            const mastra_result_t *error)
{
    if (!error && channel->stops && channel->run->cancelled) {
        error = &is_stopping;
    }
    if (error) {
        say_error(channel, error);
    }
    say_held(channel);
}
