/* ask.c -- how daemons ask tables behind a server: a file of its own, so that those who
 * have no tables need not be linked with all of them. */
#include "dict.h"

enum dict_result (*dict_proxy_ask)(struct str table, bool proxied, struct str key,
	struct arena *arena, struct str *value, struct why *why);
