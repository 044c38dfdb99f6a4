/* cache_table.h -- a table in which what a process remembers outlives it. The process
 * alone writes it: whole, in a helper thread, a minute after a change and at the end; it
 * is renamed into place. What changes in between stands in a journal beside it, so that a
 * process that is killed loses nothing. Any type that postmap(1) can make. */
#ifndef CACHE_TABLE_H
#define CACHE_TABLE_H

#include "cache_journal.h"
#include "conf.h"
#include "event.h"

struct cache_writer;
struct cache_table {
	const char *parameter; /* that names it */
	/* An entry that was there, in place of what was taken for its key; false: it is
	 * none. */
	bool (*take)(struct str key, struct str value);
	/* Calls cache_table_put() with each entry that there is. */
	void (*give)(struct cache_writer *w);

	struct str spec; /* "btree:/var/lib/.../cache"; empty: in memory only */
	/* The rest is cache_table.c's. */
	struct timer write_later;
	bool dirty, writing;
	struct cache_journal journal;
};

/* Before the jail: reads what is there. The jail allows its directory. */
void cache_table_open(struct cache_table *t, struct str wanted, const struct conf *c);
/* Entries have left. The process has something in hand until that is written. */
void cache_table_changed(struct cache_table *t);
/* An entry is new, or another one, and is kept at once. */
void cache_table_set(struct cache_table *t, struct str key, struct str value);
/* For a drain: writes what was changed, and ends the process. */
void cache_table_leave(struct cache_table *t);
/* Key and value are copied. */
void cache_table_put(struct cache_writer *w, struct str key, struct str value);

#endif
