#ifndef MASTRA_NET_CURL_MULTI_H
#define MASTRA_NET_CURL_MULTI_H

#include <curl/curl.h>

#include "loop.h"

/*
 * curl's multi interface on the loop: its sockets are watched, its timers set.
 * For curl.c alone, on the loop thread. As curl searches its connections and
 * sockets in lists, many transfers are spread over several multi handles.
 */
typedef struct mastra_multi_t mastra_multi_t;   /* all of them */
typedef struct mastra_shard_t mastra_shard_t;   /* one curl handle */

/* What the two sides know of one transfer; CURLOPT_PRIVATE points to it. */
typedef struct {
    CURL *curl;
    mastra_shard_t *shard;
    unsigned added : 1;
    unsigned connected : 1;  /* the present connection stands */
} mastra_easy_t;

/* done_cb: curl has ended a transfer; called outside of curl. */
mastra_multi_t *mastra_multi_make(mastra_loop_t *loop,
                                  void (*done_cb)(mastra_easy_t *easy,
                                                  CURLcode code));
/* All transfers must have been released. */
void mastra_multi_free(mastra_multi_t *multi);

/* Sets the options that belong to this side. */
CURLcode mastra_multi_set_up(mastra_multi_t *multi, CURL *curl);
/* A socket for a connection of easy; -1: none. */
curl_socket_t mastra_multi_open(mastra_multi_t *multi, mastra_easy_t *easy,
                                const struct curl_sockaddr *addr);

/* A place for easy, and giving it up. 0: no memory. */
int mastra_multi_join(mastra_multi_t *multi, mastra_easy_t *easy);
void mastra_multi_leave(mastra_easy_t *easy);

/* Hands easy to curl, takes it back. It begins with mastra_multi_go(). */
int mastra_multi_add(mastra_easy_t *easy);
void mastra_multi_remove(mastra_easy_t *easy);
CURLcode mastra_multi_unpause(mastra_easy_t *easy);
void mastra_multi_go(mastra_multi_t *multi);

/* True inside a call of curl's, in which most of the above is forbidden. */
int mastra_multi_is_busy(const mastra_multi_t *multi);

#endif
