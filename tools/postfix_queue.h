/* postfix_queue.h -- the queue directory of a Postfix, for postern import and export. */
#ifndef POSTFIX_QUEUE_H
#define POSTFIX_QUEUE_H

#include "base.h"

/* What is done to its files is done as the caller, who may read what the owner of our log
 * may not: between these two calls, which may nest. Nothing may switch in between. */
void postfix_queue_enter(void);
void postfix_queue_leave(void);

/* Its main.cf's queue_directory; Postfix's own default where that says nothing. */
struct str postfix_queue_directory(const char *configuration, struct arena *a);
/* Does its master run? Fatal when that cannot be known. BLOCKS */
bool postfix_queue_is_running(const char *directory);

/* Paths, below `folder` of the directory, of the files in it and in its sub-folders. */
struct postfix_files {
	VEC(struct str) paths; /* "deferred/4/4BF3..." */
};
BLOCKS void postfix_queue_list(const char *directory, const char *folder, struct arena *a,
	struct postfix_files *out);

/* tools/queue_import.c, tools/queue_export.c: the exit status. */
int queue_import(const char *configuration);
int queue_export(const char *configuration);

#endif
