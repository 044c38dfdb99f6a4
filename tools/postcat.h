/* postcat.h -- what postcat shows of a queue file, and how. */
#ifndef POSTCAT_H
#define POSTCAT_H

#include "base.h"

enum { SHOW_ENVELOPE = 1, SHOW_HEADER = 2, SHOW_BODY = 4 };

struct view {
	unsigned show;     /* SHOW_ */
	bool file_order;   /* -r: pointers are not followed */
	bool offsets;      /* -o */
	bool types;        /* -d */
	bool names;        /* -f: the file's, on each line */
	bool all;          /* -v: what says nothing, too; names of text records */
	size_t skip;       /* -s */
	const char *label; /* of the file */
};
/* Prints the records of a file of Postfix's format (postfix_file.h), which may be
 * anything. False: it is cut; a warning says so. */
bool view_records(const struct view *v, struct str file) MUST_CHECK;

#endif
