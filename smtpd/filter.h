/* filter.h -- smtpd_proxy_filter: a content filter in front of the queue. Each mail
 * transaction is played to it as the client plays it to us, and its replies are the
 * client's; the message goes on from there, and our queue does not see it
 * (SMTPD_PROXY_README).
 *
 * With smtpd_proxy_options = speed_adjust it hears of a transaction when the message is
 * whole, so that slow clients keep none of its processes busy. Messages wait in memory;
 * what would be too much of it goes the direct way. */
#ifndef FILTER_H
#define FILTER_H

#include "base.h"
#include "deliver.h"

struct session;

/* What one transaction has of it. */
struct filter {
	bool open;             /* it has heard MAIL, or will */
	bool waits;            /* speed_adjust: it has heard nothing so far */
	bool failed;           /* it is gone; `reply` is the answer to everything */
	struct conn *conn;     /* NULL: none (any more) */
	unsigned offers;       /* of XFORWARD's attributes */
	VEC(struct str) rcpts; /* arguments of RCPT, while it waits */
	struct line_filter lines;
	size_t counted;   /* octets in memory that count as this message's */
	struct str reply; /* its last one; lines separated by LF */
};

bool filter_is_used(const struct session *s);
/* Each plays a command to it; false: the refusal is in s->refusal. Arguments as the
 * client gave them, MAIL's are s->t.mail_arguments. */
SWITCHES bool filter_open(struct session *s);
SWITCHES bool filter_rcpt(struct session *s, struct str arguments);
SWITCHES bool filter_data(struct session *s);
/* What goes in front of the content. */
void filter_head(struct session *s);
/* Takes what is in s->content, or leaves it there to wait. */
SWITCHES void filter_write(struct session *s);
/* The end of the message: its reply is ours. */
SWITCHES bool filter_end(struct session *s);
/* Forgets the transaction in hand. */
void filter_reset(struct session *s);

#endif
