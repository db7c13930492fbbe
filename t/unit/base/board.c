/* The board: what one process writes, the others read, whoever dies. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>

#include "base/board.h"
#include "tap.h"

static apr_pool_t *pool;

static apr_status_t add_one(void *baton, mastra_json_t *content)
{
    mastra_json_set_int(content, baton,
                        mastra_json_get_int(content, baton, 0) + 1);
    return APR_SUCCESS;
}

static apr_status_t refuse(void *baton, mastra_json_t *content)
{
    mastra_json_set_int(content, "no", 1);
    return APR_EGENERAL;
}

static apr_status_t fill(void *baton, mastra_json_t *content)
{
    char text[600];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    mastra_json_set_str(content, "big", text);
    return APR_SUCCESS;
}

static apr_status_t die(void *baton, mastra_json_t *content)
{
    mastra_json_set_int(content, "n", 1000000);
    kill(getpid(), SIGKILL);
    return APR_SUCCESS;
}

static const char *text_of(mastra_board_t *board, unsigned *pgeneration)
{
    mastra_json_t *content = NULL;
    unsigned ignored;

    if (mastra_board_read(&content, pgeneration ? pgeneration : &ignored,
                          board)) {
        return NULL;
    }
    return mastra_json_text(mastra_json_own(content, pool), pool);
}

static void test_alone(void)
{
    mastra_board_t *board;
    unsigned generation = 7;

    ok(!mastra_board_make(&board, 512, pool), "a board");
    is_int(mastra_board_generation(board), 0, "nothing was changed");
    is_str(text_of(board, &generation), "{}", "nothing is on it");
    is_int(generation, 0, "… of the first generation");
    ok(!mastra_board_change(board, add_one, "n")
       && !mastra_board_change(board, add_one, "n"), "two changes");
    is_str(text_of(board, &generation), "{\"n\":2}", "both are there");
    ok(generation == 2 && mastra_board_generation(board) == 2,
       "… in two generations");
    is_int(mastra_board_change(board, refuse, NULL), APR_EGENERAL,
           "a change that says no");
    is_int(mastra_board_change(board, fill, NULL), APR_ENOSPC,
           "one that does not fit");
    is_str(text_of(board, &generation), "{\"n\":2}", "change nothing");
    is_int(generation, 2, "… and are no generation");
}

static void *count_up(void *baton)
{
    int i;

    for (i = 0; i < 200; i++) {
        mastra_board_change(baton, add_one, "n");
    }
    return NULL;
}

static pid_t process(void (*run)(mastra_board_t *), mastra_board_t *board)
{
    pid_t pid = fork();

    if (pid == 0) {
        run(board);
        _exit(0);
    }
    return pid;
}

static void run_counts(mastra_board_t *board)
{
    pthread_t threads[2];
    int i;

    for (i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, count_up, board);
    }
    for (i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void run_dies(mastra_board_t *board)
{
    mastra_board_change(board, die, NULL);
}

/* Processes count; in between, some of them die with the lock. */
static void test_together(void)
{
    mastra_board_t *board;
    pid_t pids[6];
    int i, status;

    ok(!mastra_board_make(&board, 4096, pool), "a board for many");
    for (i = 0; i < 6; i++) {
        pids[i] = process(i % 2 ? run_dies : run_counts, board);
    }
    for (i = 0; i < 6; i++) {
        waitpid(pids[i], &status, 0);
    }
    is_str(text_of(board, NULL), "{\"n\":1200}",
           "no change is lost, and none is half made");
    ok(!mastra_board_change(board, add_one, "n"), "the lock is free");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_alone();
    test_together();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
