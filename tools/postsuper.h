/* postsuper.h -- the parts of postsuper: which messages --query means (sender, recipients
 * and reasons are in the log, and read from there one message at a time), and which
 * destinations are suspended. */
#ifndef POSTSUPER_H
#define POSTSUPER_H

#include "conf.h"
#include "ipc.h"
#include "spool.h"

/* Fatal for what is no query, and when the log cannot be read. */
void query_open(const struct conf *c, struct str text, struct arena *arena);
/* As qmgr lists it. What ended meanwhile is not meant, what moved is looked for. */
SWITCHES bool query_means_entry(struct ipc_link *link, const struct queue_entry *e);
/* With the system down. */
BLOCKS bool query_means_stored(const struct spool_entry *e, struct str queue);

/* ---- postsuper --suspend, --resume ---- */
void suspend_add(bool resume, const char *destination, struct arena *arena);
void suspend_set_reason(const char *reason);
/* Was any named? */
bool suspend_is_wanted(void);
/* Changes the file, and tells qmgr unless link is NULL. Fatal for errors. */
SWITCHES void suspend_apply(
	const struct conf *c, struct ipc_link *link, struct arena *arena);

#endif
