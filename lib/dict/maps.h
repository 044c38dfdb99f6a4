/* maps.h -- inside of struct maps, for maps.c and maps_address.c. */
#ifndef MAPS_H
#define MAPS_H

#include "dict.h"

struct maps_table {
	struct str spec;
	struct dict *dict; /* NULL: not even a table by name */
	struct why broken; /* then this is why */
};

struct maps {
	struct maps *next; /* of all that are open */
	struct arena *arena;
	const char *parameter;
	unsigned flags;
	/* What must not be split (parameters of these names). */
	bool owner_request_special;
	struct str double_bounce_sender;
	VEC(struct maps_table) tables;
};

/* Asks the tables in order. whole: the key is what the caller has, not a part of it;
 * parts are not looked up in pattern tables. */
enum dict_result maps_ask(struct maps *m, struct str key, bool whole, struct arena *arena,
	struct str *value, struct why *why);
/* The same for a domain and its parents. */
enum dict_result maps_ask_domain(struct maps *m, struct str domain, bool whole,
	bool dot_parents, struct arena *arena, struct str *value, struct why *why);

#endif
