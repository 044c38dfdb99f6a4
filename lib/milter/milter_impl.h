/* milter_impl.h -- what the files of this folder share. */
#ifndef MILTER_IMPL_H
#define MILTER_IMPL_H

#include "milter.h"

/* Who gets the changes that come with an answer. */
struct milter_taker {
	bool (*take)(void *arg, const struct milter_edit *edit);
	void *arg;
	bool skips; /* it has seen enough of the body */
	/* Pieces of another body. */
	enum { BODY_NONE, BODY_NOW, BODY_OVER, BODY_MIXED } body;
};
/* False: the milter is at fault. */
bool milter_take(struct milter_taker *taker, const struct milter_edit *edit);

/* ---- milter.c ---- */
SWITCHES void milter_open(struct milters *m, struct milter *one,
	SWITCHES int (*connect)(const char *endpoint, deadline_t patience));
void milter_put_macros(
	const struct milters *m, const struct milter *one, enum milter_stage stage);
/* Sends a packet and gives the answer, if it is to have one. taker: NULL where no change
 * is possible. */
SWITCHES struct milter_verdict milter_tell(struct milters *m, struct milter *one,
	enum milter_stage stage, struct str packet, msec_t timeout,
	struct milter_taker *taker);
SWITCHES struct milter_verdict milter_answer(struct milters *m, struct milter *one,
	enum milter_stage stage, msec_t timeout, struct milter_taker *taker);
void milter_say(struct milter *one, char command); /* has no answer */
void milter_hang_up(struct milter *one);
/* Logs, ends the conversation, gives what its default_action wants. */
struct milter_verdict milter_fails(struct milter *one, bool mistake, const char *fmt, ...)
	PRINTF(3, 4);

#endif
