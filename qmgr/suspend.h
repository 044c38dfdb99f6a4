/* suspend.h -- destinations that the administrator suspended (lib/spool/suspension.h):
 * their mail is deferred, and tried again as soon as they are resumed. */
#ifndef SUSPEND_H
#define SUSPEND_H

#include "ipc.h"
#include "schedule.h"
#include "suspension.h"

/* Reads the file beside the log. */
BLOCKS void suspend_start(void);
/* postsuper has changed it. For root and the mail owner. */
BLOCKS void suspend_changed(struct ipc_request *rq);
/* NULL: not suspended. Good until the next suspend_changed(). */
const struct suspension *suspend_why(struct str transport, struct str nexthop);
/* Is anything? */
bool suspend_any(void);
/* All there are; NULL or empty: none. */
const struct suspensions *suspend_list(void);
/* What its mail is deferred with. */
struct str suspend_text(const struct suspension *s, struct arena *arena);

#endif
