/* queue_export.h -- the parts of postern export --queue. */
#ifndef QUEUE_EXPORT_H
#define QUEUE_EXPORT_H

#include "base.h"
#include "event.h"
#include "spool.h"
#include <sys/types.h>

/* Where the parts of a message go below Postfix's directory, logs first. */
enum { DEFER, BOUNCE, TRACE, DEFERRED, HOLD, EXPORT_FOLDERS };
extern const char *const export_folders[EXPORT_FOLDERS];

struct export
{
	const char *queue; /* Postfix's directory */
	int dir;
	int last; /* the message file written last, or -1 */
	struct arena *arena;
	struct spool *spool;
	struct spool_reader *reader;
	struct map *ours; /* queue ids */
	VEC(struct known *) all;
	/* Postfix's. */
	struct strs hashed; /* hash_queue_names */
	unsigned depth;
	bool long_names; /* enable_long_queue_ids */
	msec_t delay_warning;
	uid_t owner;
	gid_t group;
	struct co_queue changed;
	bool waiting;
	unsigned long given, held, local, bad;
};

/* A message of our log. */
struct known {
	uint64_t mid;
	bool hold;
	char queue_id[32];
};

/* export_files.c: makes the files of a message in exported/. False, and a line in the
 * log: it is damaged, and stays. */
bool export_make(struct export *ex, const struct known *k) MUST_CHECK;

/* export_local.c: what lies in maildrop, and what an earlier run had made of it. */
void export_maildrop(struct export *ex);

/* queue_export.c: what has been written is on the disk. */
void export_sync(struct export *ex);
/* The name that a file in exported/FOLDER gets, if it has been made. */
bool export_name(const struct export *ex, const char *folder, struct str id, char out[32])
	MUST_CHECK;

#endif
