/* edits.h -- what milters change about a message that is all there: its header as a list
 * of fields, another body, another envelope. Nothing of it is done before the milter has
 * given its last answer: one that dies on the way has changed nothing. */
#ifndef EDITS_H
#define EDITS_H

#include "message.h"
#include "milter.h"

struct edits {
	struct message *m;
	VEC(struct str) fields; /* of the whole header, each with its line ends */
	size_t hidden;          /* the one that is our own, which milters do not see;
				   SIZE_MAX: none */
	struct str body;        /* as it is now */
	struct buf fresh;       /* the body that the milter in hand gives */
	bool has_fresh;
	struct buf body_kept; /* what `body` points into, once it was given */
	bool changed;         /* header or body differ from the content */
	bool ends_in_header;  /* there is not even the empty line */
	struct str sender;    /* data NULL: as it was */
	struct mail_parameters parameters;
	VEC(struct rcpt) added;
	VEC(struct str) deleted;
	struct str held; /* the reason of a quarantine */
	octets_t size;   /* of what the milter in hand has us keep */
	/* As it was before the milter in hand. */
	struct strs fields_before;
	size_t hidden_before;
	bool changed_before;
};

void edits_begin(struct edits *e, struct message *m);
void edits_free(struct edits *e);
/* The next milter begins; what it wanted so far counts for nothing. */
void edits_mark(struct edits *e);
void edits_undo(struct edits *e);
/* What milters see. *fields has the header without our own field; in the message's arena.
 */
void edits_show(struct edits *e, struct milter_message *out);
/* For milter_tell_message(); arg: struct edits. */
SWITCHES bool edits_take(void *arg, const struct milter_edit *edit);
/* A milter gave its last answer: what it wanted is done, to the envelope at once. */
SWITCHES void edits_accept(struct edits *e);
/* The content as it is now; when no milter changed it nothing is copied. */
void edits_apply(struct edits *e);

#endif
