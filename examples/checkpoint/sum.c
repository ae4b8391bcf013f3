/* The sum of the items from argv[1] to argv[2], in C: under `split plan --checkpoint=files -- ./sum {first} {last}`.
 * When the file $SPLIT_CHECKPOINT_STOP is there, it saves into the folder $SPLIT_CHECKPOINT_NEW and ends with 85. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A file in the folder that a variable of the environment names. */
static FILE *open_in(const char *variable, const char *mode)
{
    char path[4096];
    const char *folder = getenv(variable);
    if (folder == NULL || *folder == '\0') {
        return NULL;
    }
    snprintf(path, sizeof path, "%s/state", folder);
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

int main(int count, char **words)
{
    if (count != 3) {
        fprintf(stderr, "usage: sum FIRST LAST\n");
        return 2;
    }
    long next = atol(words[1]), last = atol(words[2]), total = 0;
    const char *stop = getenv("SPLIT_CHECKPOINT_STOP"), *log = getenv("LOG"), *step = getenv("STEP");
    FILE *old = open_in("SPLIT_CHECKPOINT_OLD", "r");
    if (old != NULL) {
        if (fscanf(old, "%ld %ld", &next, &total) != 2) {
            fprintf(stderr, "the snapshot holds no two numbers\n");
            return 1;
        }
        fclose(old);
    }
    for (; next <= last; next++) {
        if (stop != NULL && access(stop, F_OK) == 0) {
            FILE *new = open_in("SPLIT_CHECKPOINT_NEW", "w");
            if (new == NULL || fprintf(new, "%ld %ld\n", next, total) < 0 || fclose(new) != 0) {
                perror("saving");
                return 1;
            }
            return 85;
        }
        if (log != NULL) {
            FILE *file = fopen(log, "a");
            if (file != NULL) {
                fprintf(file, "%ld\n", next);
                fclose(file);
            }
        }
        if (step != NULL) {
            struct timespec wait = {0, (long)(atof(step) * 1e9)};
            nanosleep(&wait, NULL);
        }
        total += next;
    }
    printf("%ld\n", total);
    return 0;
}
