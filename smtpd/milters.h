/* milters.h -- what milters hear of a session, and what becomes of it. Each call says
 * whether the client is served; otherwise s->refusal is the reply, and it is logged. */
#ifndef MILTERS_H
#define MILTERS_H

#include "base.h"

struct session;
struct submit_request;
struct submit_reply;

/* Opens the connections: at a greeting, also one more after XCLIENT. */
SWITCHES bool milters_hear_connect(struct session *s);
SWITCHES bool milters_hear_helo(struct session *s, struct str name);
/* path: as sent, with its brackets; rest: the parameters behind it. */
SWITCHES bool milters_hear_mail(struct session *s, struct str path, struct str rest);
SWITCHES bool milters_hear_rcpt(
	struct session *s, struct str recipient, struct str path, struct str rest);
/* Of a recipient that is refused already, with s->refusal. */
SWITCHES void milters_hear_refused(
	struct session *s, struct str recipient, struct str path, struct str rest);
SWITCHES bool milters_hear_data(struct session *s);
/* Postfix tells them the first word only. */
SWITCHES bool milters_hear_unknown(struct session *s, struct str word);
/* The transaction is over; HELO is said anew; goodbye. */
SWITCHES void milters_forget_mail(struct session *s);
SWITCHES void milters_forget_helo(struct session *s);
SWITCHES void milters_end(struct session *s);

/* Lends the connections to cleanup, which tells them the content: fills in ask->milters
 * and the macros, and fds (of MILTERS_MOST); how many of these. */
SWITCHES size_t milters_lend(struct session *s, struct submit_request *ask, int *fds);
/* What cleanup said of them; said: NULL when it said nothing. */
void milters_take_back(struct session *s, const struct submit_reply *said);

/* ---- milter_macros.c ---- */
/* For struct milters: arg is the session. */
SWITCHES struct str milter_macro(void *arg, struct str name);

#endif
