/* Calling a function on a loop's thread, and waiting until it has returned. */
#ifndef ONLOOP_H
#define ONLOOP_H

#include <pthread.h>

#include "net/loop.h"

typedef struct {
    mastra_msg_t msg;
    void (*fn)(void *baton);
    void *baton;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int done;
} onloop_t;

static inline void onloop_cb(void *baton)
{
    onloop_t *call = baton;

    call->fn(call->baton);
    pthread_mutex_lock(&call->lock);
    call->done = 1;
    pthread_cond_signal(&call->cond);
    pthread_mutex_unlock(&call->lock);
}

static inline void on_loop(mastra_loop_t *loop, void (*fn)(void *baton),
                           void *baton)
{
    onloop_t call = { .fn = fn, .baton = baton,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .cond = PTHREAD_COND_INITIALIZER };

    call.msg.cb = onloop_cb;
    call.msg.baton = &call;
    mastra_loop_post(loop, &call.msg);
    pthread_mutex_lock(&call.lock);
    while (!call.done) {
        pthread_cond_wait(&call.cond, &call.lock);
    }
    pthread_mutex_unlock(&call.lock);
}

#endif
