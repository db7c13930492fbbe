/* Areas above that share the hub's bus and logs: what they are told. */

#include <string.h>

#include "hub_internal.h"

void mastra_hub_pass_on(const mastra_hub_t *hub, const char *from,
                        const mastra_bus_msg_t *msg)
{
    mastra_hub_peer_t *peer;

    for (peer = hub->peers; peer; peer = peer->next) {
        peer->message(peer->baton, from, msg);
    }
}

void mastra_hub_tell_dead(const mastra_hub_t *hub, const char *address)
{
    mastra_hub_peer_t *peer;

    for (peer = hub->peers; peer; peer = peer->next) {
        peer->dead(peer->baton, address);
    }
}

mastra_events_t *mastra_hub_events(const mastra_hub_t *hub)
{
    return hub->events;
}

const char *mastra_hub_address(const mastra_hub_t *hub)
{
    return hub->address;
}

void mastra_hub_join(mastra_hub_t *hub, mastra_hub_peer_t *peer)
{
    peer->next = hub->peers;
    hub->peers = peer;
}

void mastra_hub_tell_all(mastra_hub_t *hub, const mastra_bus_msg_t *msg)
{
    if (hub->bus) {
        mastra_bus_broadcast(hub->bus, msg);
    }
}

void mastra_hub_tell(mastra_hub_t *hub, const char *to,
                     const mastra_bus_msg_t *msg)
{
    if (!strcmp(to, hub->address)) {
        mastra_hub_pass_on(hub, to, msg);
    }
    else if (hub->bus && mastra_bus_is_near(hub->bus, to)
             && mastra_bus_post(hub->bus, to, msg) == APR_ENOENT) {
        mastra_hub_owner_dead(hub, to);
    }
}
