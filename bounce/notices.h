/* notices.h -- what the kinds of mail that bounce writes share. */
#ifndef NOTICES_H
#define NOTICES_H

#include "conf.h"
#include "ipc.h"
#include "messages.h"
#include "submit.h"

#define SUBMIT_PATIENCE ((msec_t)300 * 1000)

struct letter {
	struct str to, from;
	uint32_t flags; /* besides those of each notice */
	const char *queue_id;
	uint64_t now_us;
};
/* Begins to submit it; its header comes first. */
struct submission *letter_begin(const struct letter *l, const struct conf *c) MUST_CHECK;
/* The sender of what may fail to reach the postmaster, and of which nobody is told then.
 */
struct str double_bounce(const struct conf *c, struct arena *a);

/* internal_mail_filter_classes: whether milters and checks see mail of the class. */
uint32_t inspection_flags(const struct conf *c, struct arena *a, const char *class);

/* transcript.c */
SWITCHES void bounce_transcript(struct ipc_request *rq);

#endif
