/* changes.h -- the process leaves when one of its secrets changes, for one that reads
 * them anew: in the jail nothing can be opened any more. */
#ifndef CHANGES_H
#define CHANGES_H

/* A file or directory whose changes count from now on: before the jail, and before it is
 * read. `what` is its parameter, for a warning. */
void changes_add(const char *what, const char *path);
/* In a coroutine, in the jail. */
void changes_watch(void);

#endif
