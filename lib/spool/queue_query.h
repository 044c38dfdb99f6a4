/* queue_query.h -- which messages of the queue somebody means: postqueue and postsuper
 *--query.
 *
 *	query = word *(blanks word)         all of them must be true of a message
 *	word  = from|to|destination|queue|reason ("=" / "!=" / "~" / "!~") value
 *	word  = age|size ("<" / ">") number
 *	value = octets without blanks, or in double quotes: "timed out"
 *
 * = wants the whole of it, ~ finds the value anywhere; case does not matter, and * stands
 * for any octets. There are no regular expressions: the one who asks may be any user, the
 * program that answers is set-gid. */
#ifndef QUEUE_QUERY_H
#define QUEUE_QUERY_H

#include "base.h"
#include "listing.h"

#define QUERY_WORDS  32
#define QUERY_LENGTH 4096 /* octets */

enum query_key {
	QUERY_FROM,
	QUERY_QUEUE,
	QUERY_AGE,
	QUERY_SIZE,
	/* about recipients: */
	QUERY_TO,
	QUERY_DESTINATION, /* the domain of the recipient */
	QUERY_REASON,
};
struct query_word {
	enum query_key key;
	bool negated, above; /* above: ">" */
	struct str pattern;  /* * for any octets */
	uint64_t number;     /* seconds, octets, or a set of queues */
};
struct queue_query {
	struct query_word words[QUERY_WORDS];
	size_t n;
};

/* What <> means in from=<> is null_sender, as the listings have it. Strings of *out are
 * in arena. -1 and *why for what is no query, or an empty one. */
int queue_query_parse(struct str text, struct str null_sender, struct arena *arena,
	struct queue_query *out, struct why *why) MUST_CHECK;
/* Words about recipients are true of a message when all of them are of one of its
 * recipients; those with ! when they are of each. */
bool queue_query_matches(
	const struct queue_query *q, const struct listing *l, int64_t now);

#endif
