/* shape.h -- a queue by domain and age: the counting and the table of qshape. */
#ifndef SHAPE_H
#define SHAPE_H

#include "base.h"
#include <stdio.h>

struct shape_options {
	unsigned buckets;      /* of age; the last one has no end */
	double tick;           /* minutes in the first */
	bool linear;           /* buckets of the same length; else each twice the last */
	bool parents;          /* count at the domains above, too */
	unsigned min_children; /* a domain above is shown from so many on */
	unsigned width;        /* of the table, where that is enough */
	unsigned top;          /* rows to print; 0: all */
};

struct shape; /* opaque */
struct shape *shape_new(const struct shape_options *o) MUST_CHECK;
void shape_free(struct shape *s);

/* Counts an address at its domain, without one at itself. */
void shape_add(struct shape *s, int64_t age_seconds, struct str address);
/* Rows by their count, most first, then short names first. */
void shape_print(const struct shape *s, FILE *out);

#endif
