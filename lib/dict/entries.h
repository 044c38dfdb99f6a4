/* entries.h -- keys and values in memory, in the order in which they came: what texthash
 * and inline tables hold, and what a cdb file is made from. */
#ifndef ENTRIES_H
#define ENTRIES_H

#include "base.h"

struct entries;
struct entries *entries_new(void) MUST_CHECK;
void entries_free(struct entries *e);
/* False when the key is there already; then its value is replaced if asked to. Both are
 * copied. */
bool entries_add(struct entries *e, struct str key, struct str value, bool replace);
/* False: not there. *value belongs to e. */
bool entries_find(const struct entries *e, struct str key, struct str *value);
bool entries_remove(struct entries *e, struct str key);
/* fn returns false to stop. */
void entries_each(
	const struct entries *e, bool (*fn)(struct str, struct str, void *), void *arg);

#endif
