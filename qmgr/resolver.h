/* resolver.h -- where routing runs: in the loop as long as all tables are local files, in
 * coroutines (a bounded number) when a proxy: table has to be asked. Watches the tables.
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "route.h"

void resolver_run(void (*fn)(void *arg), void *arg);
/* Closes a route, or tables, when nobody is in them any more. */
void resolver_retire(struct route *old);
void resolver_retire_maps(struct maps *old);

#endif
