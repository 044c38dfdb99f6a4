/* cache_journal.h -- what was changed in a table since it was written last: a file beside
 * it, to which each change is appended. Nothing is synced: a process that is killed loses
 * nothing of it, a machine that loses its power what the kernel had not written yet.
 *
 * A record is a CRC32C over what follows it (4 bytes), the lengths of key and value (2
 * each, big endian), key and value. The first one that is none ends the file. While the
 * table is written there are two files, of which "old" is read first. A key that comes
 * again replaces what was there, so that reading too much does no harm. */
#ifndef CACHE_JOURNAL_H
#define CACHE_JOURNAL_H

#include "base.h"

struct cache_journal {
	char *path, *old; /* NULL: there is none */
	int fd;           /* -1: to be opened */
	octets_t size;    /* of what is good in it */
	bool is_full;     /* nothing is added before the table has been written */
};

/* What a journal holds: calls take() with each record, whose bytes belong to the caller
 * and which may say that it cannot use it. Gives the length of what is good. */
size_t cache_journal_each(
	struct str bytes, bool (*take)(struct str key, struct str value), size_t *bad);

/* The one of the table at `path`; takes what is there. Opens nothing for writing, since
 * root calls it. BLOCKS */
void cache_journal_open(struct cache_journal *j, struct str path,
	bool (*take)(struct str key, struct str value), size_t *bad);
/* Forgets it, and leaves its files. One of zeros with fd -1 may be closed. */
void cache_journal_close(struct cache_journal *j);
/* Adds a change, as far as there is room: what has none is lost with the process only. */
void cache_journal_add(struct cache_journal *j, struct str key, struct str value);
/* The table is about to be written: what comes now belongs to the next time, */
void cache_journal_turn(struct cache_journal *j);
/* and what came before is in the table now. */
void cache_journal_settle(struct cache_journal *j);

#endif
