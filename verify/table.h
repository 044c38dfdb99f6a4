/* table.h -- address_verify_map: where the cache outlives the process. Any type that
 * postmap(1) can make; written whole, in a helper thread, and renamed into place. */
#ifndef TABLE_H
#define TABLE_H

#include "conf.h"

/* Before the jail: reads what is there into the cache. The jail allows its directory. */
void table_open(const struct conf *c);
/* "btree:/var/lib/.../verify_cache"; empty: the cache is in memory only. */
struct str table_spec(void);
/* Writes the cache as it is now. */
SWITCHES void table_write(void);

#endif
