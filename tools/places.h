/* places.h -- the parameters that say where an installation has its programs and files,
 * and whom it runs as: what `postern set-permissions` takes as arguments, and what is not
 * copied from one installation to another. */
#ifndef PLACES_H
#define PLACES_H

#include "base.h"

enum place_kind { PLACE_PATH, PLACE_PATH_OR_NO, PLACE_NAME };

struct place {
	const char *name;
	enum place_kind kind;
};
extern const struct place places[];
extern const size_t places_count;

/* NULL: it is none. */
const struct place *place_find(struct str name);

#endif
