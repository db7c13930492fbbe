/* Feeds files to a fuzz target without a fuzzer: those of t/fuzz/corpus/<its name>. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_LIMIT = 1 << 20 };

static int replay(const char *path)
{
    uint8_t *data;
    size_t size;
    FILE *file = fopen(path, "rb");

    if (!file) {
        return 0;
    }
    data = malloc(INPUT_LIMIT);
    if (!data) {
        fclose(file);
        return 0;
    }
    size = fread(data, 1, INPUT_LIMIT, file);
    fclose(file);
    /* at its own size, so that a sanitizer sees a read beyond the end */
    data = realloc(data, size ? size : 1);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    char dir[512], path[1024];
    struct dirent *entry;
    int count = 0, fed = 1;
    DIR *corpus;

    snprintf(dir, sizeof(dir), "t/fuzz/corpus/%s", name ? name + 1 : argv[0]);
    corpus = opendir(dir);
    while (corpus && (entry = readdir(corpus))) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        fed = replay(path);
        printf("%sok %d - %s\n", fed ? "" : "not ", ++count, entry->d_name);
        fflush(stdout);
    }
    if (corpus) {
        closedir(corpus);
    }
    if (!count) {
        printf("not ok %d - %s has files\n", ++count, dir);
        fed = 0;
    }
    printf("1..%d\n", count);
    return !fed;
}
