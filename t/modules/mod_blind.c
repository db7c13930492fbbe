/* No module: preloaded into httpd by t/park/canary.t, it makes an event MPM that
 * polls the client's socket itself and so does not see the eventfd of a parked
 * connection. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/socket.h>

static int last_accepted = -1;
static int stands_for[1024];

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    static int (*real)(int, struct sockaddr *, socklen_t *, int);

    if (!real) {
        real = dlsym(RTLD_NEXT, "accept4");
    }
    return last_accepted = real(fd, addr, len, flags);
}

static int is_eventfd(int fd)
{
    char path[40], name[40] = "";

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return readlink(path, name, sizeof(name) - 1) > 0
           && strstr(name, "eventfd");
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    static int (*real)(int, int, int, struct epoll_event *);

    if (!real) {
        real = dlsym(RTLD_NEXT, "epoll_ctl");
    }
    if (fd >= 0 && fd < 1024) {
        /* what wakes the loop is edge-triggered */
        if (op == EPOLL_CTL_ADD && !(event->events & EPOLLET)
            && is_eventfd(fd)) {
            stands_for[fd] = last_accepted;
            fd = last_accepted;
        }
        else if (op == EPOLL_CTL_DEL && stands_for[fd]) {
            int stood = fd;

            fd = stands_for[fd];
            stands_for[stood] = 0;
        }
    }
    return real(epfd, op, fd, event);
}
