/* modules.h -- finds and loads modules. */
#ifndef MODULES_H
#define MODULES_H

#include "base.h"
#include "conf.h"
#include "module.h"

/* Where the module of a type is: what dynamicmaps.cf or a file in dynamicmaps.cf.d says
 * of it, else its usual name, in shlib_directory (where that is "no": in
 * daemon_directory). BLOCKS */
struct str module_path(const char *type, const struct conf *c, struct arena *arena);
/* Loads it, once in a process; it stays. NULL and *why. BLOCKS */
const struct table_module *module_load(
	const char *type, const struct conf *c, struct why *why);

#endif
