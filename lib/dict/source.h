/* source.h -- the text files that tables are made from: their logical lines, and the two
 * forms of an entry, "key value" (postmap) and "name: value" (postalias, aliases(5)). */
#ifndef SOURCE_H
#define SOURCE_H

#include "base.h"
#include <stdio.h>

/* Logical lines: a line that starts with a blank goes on with the one before; comment
 * lines and empty ones are skipped, also in between. */
struct source {
	FILE *file;
	const char *name; /* for messages */
	int line;         /* where the logical line given last began */
	int at;           /* physical lines read */
	char *ahead;      /* the physical line that was read too far */
	size_t ahead_room, ahead_len;
	bool has_ahead;
	struct buf logical;
};
/* BLOCKS. Takes over the file. */
void source_open(struct source *s, FILE *file, const char *name);
void source_close(struct source *s); /* for CLEANUP too */
/* The next one, without blanks at its end; a view that is good until the next call. False
 * at the end of the file, or when it cannot be read: then errno is not 0. BLOCKS */
bool source_line(struct source *s, struct str *line);

/* What a line turned out to be. why holds the warning that belongs to it (without file
 * and line) unless why->code is empty. */
enum source_entry {
	SOURCE_ENTRY, /* key and value; may come with a warning */
	SOURCE_BAD,   /* no entry: why tells */
};
/* "key blanks value". A key with "quoted text" keeps its quotes, for that is how
 * addresses with blanks are looked up. */
enum source_entry source_map_entry(
	struct str line, struct str *key, struct str *value, struct why *why);
/* "name: value, value": the name is unquoted, the values are written the one way that
 * aliases(5) has for them, with their quotes. */
enum source_entry source_alias_entry(struct str line, struct arena *arena,
	struct str *key, struct str *value, struct why *why);

#endif
