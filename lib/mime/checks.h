/* checks.h -- header_checks(5): header fields, and lines of the body, are looked up in
 * tables, and what is found says what to do. What concerns the line alone is done here
 * (DUNNO, IGNORE, INFO, OK, PREPEND, REPLACE, STRIP, WARN); further actions are the
 * user's. */
#ifndef CHECKS_H
#define CHECKS_H

#include "dict.h"
#include "parts.h"

/* The tables of one parameter. */
struct check_set {
	const char *parameter;
	struct maps *maps;
};
struct check_tables {
	struct check_set header, mime, nested, body;
};
bool check_tables_want_parts(const struct check_tables *t); /* not only the message's */
bool check_tables_want_body(const struct check_tables *t);

/* One line, and what was found for it. */
struct check {
	const struct check_set *set;
	const char *object; /* "header" or "body" */
	struct str line;
	struct str text; /* behind the action's name */
	bool drop;
	struct str before, instead; /* lines, if not STR_NONE */
};

struct check_action {
	const char *name;
	void (*act)(void *arg, struct check *c);
};
struct check_calls {
	/* For the log: "warning", "replace" ... */
	void (*tell)(
		void *arg, const struct check *c, const char *action, struct str text);
	/* A table failed: the message has to wait. */
	void (*failed)(void *arg, const struct check *c);
	/* What passes: whole lines, and pieces of those that are longer than line_limit.
	 */
	void (*add)(void *arg, struct str bytes);
	const struct check_action *actions; /* the user's own; up to a nameless one */
};

/* One message on its way through the checks. */
struct checks {
	/* Set by the user, with zeroes behind it. */
	const struct check_tables *tables;
	const struct check_calls *calls;
	void *arg;
	struct arena *arena; /* the message's */
	octets_t body_limit; /* body_checks_size_limit: only the beginning of each part */
	size_t line_limit;   /* line_length_limit */
	bool off;            /* nothing is looked up (any more) */
	/* Its own. */
	struct buf line; /* of the body, in pieces */
	octets_t seen;   /* of this part */
};

/* A field of the header `where`; its text may be another one afterwards. False: it is
 * dropped. Lines that go before it are given to add(). */
SWITCHES bool checks_field(struct checks *c, enum part_header where, struct field *f);
/* A body, of any length. */
SWITCHES void checks_body(struct checks *c, struct str bytes);
SWITCHES void checks_body_end(struct checks *c); /* of the last part */
void checks_part_begins(struct checks *c);
void checks_free(struct checks *c);

#endif
