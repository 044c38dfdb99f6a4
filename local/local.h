/* local.h -- one recipient on its way through aliases to mailboxes. */
#ifndef LOCAL_H
#define LOCAL_H

#include "agent.h"
#include "dict.h"

/* An alias may name aliases, so deep and no deeper. */
#define ALIAS_DEPTH_MOST 50

/* One recipient of a delivery, and everything it became. */
struct recipient {
	struct delivery *d;
	size_t index;     /* in d->envelope.rcpts */
	struct map *seen; /* names and addresses that were handled: once each */
	VEC(struct str)
	forward;          /* addresses elsewhere: submitted as new mail at the end */
	struct str owner; /* sender of what is forwarded, when an owner- alias is there */
	enum verdict verdict; /* the worst so far; TEMPFAIL beats PERMFAIL */
	struct why why;
};

/* Writes down how one part of the delivery ended, in the log and in *r. */
void recipient_ended(struct recipient *r, struct str address, enum verdict verdict,
	const char *code, const char *fmt, ...) PRINTF(5, 6);

/* alias.c: ACCEPT when `name` was an alias and its targets were handled; PERMFAIL when it
 * is none; TEMPFAIL when a table failed (recorded). */
SWITCHES enum verdict alias_deliver(
	struct recipient *r, struct str name, struct str extension, int depth);
/* user.c: the mailbox of a user. */
SWITCHES void user_deliver(
	struct recipient *r, struct str name, struct str extension, struct str address);
/* main.c: a local name, wherever it came from. */
SWITCHES void name_deliver(
	struct recipient *r, struct str name, struct str address, int depth);
/* forward.c: submits what goes elsewhere. */
SWITCHES void forward_send(struct recipient *r);

extern struct maps *alias_maps;
extern struct route *local_route;

#endif
