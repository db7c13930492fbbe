/* The outlet of a model call: gives events to its caller, and holds copies of
 * those that arise while the caller has paused. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct mastra_outlet_event_t {
    mastra_outlet_event_t *next;
    mastra_model_event_t event;
};

/* As httpd does when memory is short: an event that cannot be kept must not
 * vanish silently. */
static void *need(void *memory)
{
    if (!memory) {
        abort();
    }
    return memory;
}

static apr_size_t room(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *keep(char **pat, const char *text, apr_size_t len)
{
    char *at = *pat;

    if (!text) {
        return NULL;
    }
    memcpy(at, text, len);
    at[len] = '\0';
    *pat = at + len + 1;
    return at;
}

/* A copy of event with its texts behind it, in one piece of memory. */
static mastra_outlet_event_t *copy_event(const mastra_model_event_t *event)
{
    mastra_outlet_event_t *copy;
    char *at;

    copy = need(malloc(sizeof(*copy) + event->len + 1 + room(event->id)
                       + room(event->name) + room(event->reason)
                       + room(event->raw_reason)));
    copy->next = NULL;
    copy->event = *event;
    at = (char *)(copy + 1);
    copy->event.text = keep(&at, event->text, event->len);
    copy->event.id = keep(&at, event->id, room(event->id) - 1);
    copy->event.name = keep(&at, event->name, room(event->name) - 1);
    copy->event.reason = keep(&at, event->reason, room(event->reason) - 1);
    copy->event.raw_reason = keep(&at, event->raw_reason,
                                  room(event->raw_reason) - 1);
    copy->event.json = mastra_json_ref(event->json);
    copy->event.body = mastra_json_ref(event->body);
    return copy;
}

static void free_event(mastra_outlet_event_t *held)
{
    mastra_json_unref(held->event.json);
    mastra_json_unref(held->event.body);
    free(held);
}

static void give(mastra_outlet_t *outlet, const mastra_model_event_t *event)
{
    int more;

    outlet->inside = 1;
    outlet->resumed = 0;
    more = outlet->cbs->on_event(outlet->baton, event);
    outlet->inside = 0;
    outlet->paused = !more && !outlet->resumed;
}

void mastra_outlet_emit(mastra_outlet_t *outlet,
                        const mastra_model_event_t *event)
{
    mastra_outlet_event_t *held;

    if (event->type != MASTRA_MODEL_REQUEST) {
        outlet->delivered = 1;
    }
    if (!mastra_outlet_is_held(outlet)) {
        give(outlet, event);
        return;
    }
    held = copy_event(event);
    if (outlet->last) {
        outlet->last->next = held;
    }
    else {
        outlet->first = held;
    }
    outlet->last = held;
}

int mastra_outlet_is_held(const mastra_outlet_t *outlet)
{
    return outlet->paused || outlet->first;
}

int mastra_outlet_resume(mastra_outlet_t *outlet)
{
    if (outlet->inside) {
        outlet->resumed = 1;
        return 0;
    }
    if (!outlet->paused) {
        return 0;
    }
    outlet->paused = 0;
    return 1;
}

void mastra_outlet_drain(mastra_outlet_t *outlet)
{
    while (outlet->first && !outlet->paused) {
        mastra_outlet_event_t *held = outlet->first;

        outlet->first = held->next;
        if (!outlet->first) {
            outlet->last = NULL;
        }
        give(outlet, &held->event);
        free_event(held);
    }
}

void mastra_outlet_clear(mastra_outlet_t *outlet)
{
    while (outlet->first) {
        mastra_outlet_event_t *held = outlet->first;

        outlet->first = held->next;
        free_event(held);
    }
    outlet->last = NULL;
}
