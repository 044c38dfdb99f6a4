/* suspension.h -- destinations that the administrator has suspended (postsuper
 *--suspend): their mail is not tried until they are resumed.
 *
 * They are lines of the file "suspended" beside the log, so that they outlive qmgr, which
 * reads it, and can be changed while the mail system is down:
 *
 *	line        = since SP destination [SP reason] LF     ; since: seconds since 1970
 *	destination = [transport] ":" [nexthop]               ; not both empty
 *
 * An empty transport or next hop stands for any. */
#ifndef SUSPENSION_H
#define SUSPENSION_H

#include "base.h"

#define SUSPENSIONS_MOST         1000
#define SUSPENSION_LENGTH        500 /* of a destination, octets */
#define SUSPENSION_REASON_LENGTH 200

struct suspension {
	struct str transport, nexthop; /* the latter in lower case; either may be empty */
	struct str reason;             /* or none */
	int64_t since;
};
struct suspensions {
	struct suspension items[SUSPENSIONS_MOST];
	size_t n;
};

/* What somebody means by "example.com", "[relay.example]:587" (a next hop of any
 * transport), "smtp:example.com", ":relay.example:587" or "smtp:" (all that transport
 * has). Strings of *out are in arena. -1 and *why. */
int suspension_read(struct str text, struct arena *arena, struct suspension *out,
	struct why *why) MUST_CHECK;
/* "transport:nexthop", as the file has it. */
struct str suspension_name(const struct suspension *s, struct arena *arena);
/* Lines of the file; how many were none, or too many, and were left out. */
size_t suspensions_parse(struct str text, struct arena *arena, struct suspensions *out);
/* Is mail for this next hop suspended? The first that says so, or NULL. */
const struct suspension *suspension_of(
	const struct suspensions *all, struct str transport, struct str nexthop);

/* Adds or, with the same destination, changes one. -1: there are too many. */
int suspensions_set(struct suspensions *all, const struct suspension *one) MUST_CHECK;
/* True when there was one for exactly this destination. */
bool suspensions_remove(struct suspensions *all, const struct suspension *one);

/* The file below the directory of the log; none is the same as an empty one. -1 and
 * errno. */
BLOCKS int suspensions_load(const char *directory, struct arena *arena,
	struct suspensions *out, size_t *bad) MUST_CHECK;
/* Replaces the file: after 0 it is there after a power cut, after -1 and errno the old
 * one is. */
BLOCKS int suspensions_store(const char *directory, const struct suspensions *all)
	MUST_CHECK;

#endif
