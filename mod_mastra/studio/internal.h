#ifndef MASTRA_STUDIO_INTERNAL_H
#define MASTRA_STUDIO_INTERNAL_H

#include <httpd.h>

#include "../net/loop.h"

/* events.c: a stream that says hello with id and lasts until the client
 * leaves. Returns what the handler returns. */
int mastra_studio_events(request_rec *r, const char *id, mastra_loop_t *loop);

#endif
