/* sendmail_smtp.h -- a dialogue of sendmail -bs, and the content in it. */
#ifndef SENDMAIL_SMTP_H
#define SENDMAIL_SMTP_H

#include "sendmail.h"

struct dialogue {
	struct sendmail *s;
	const struct params *p;
	struct str helo;
	bool extended; /* EHLO */
	bool in_mail, ended;
	struct drop drop;
	VEC(struct rcpt) rcpts;
	/* The content, while it comes. */
	bool open;   /* child runs and waits for it */
	bool broken; /* a chunk was refused, and so are those that follow (RFC 3030) */
	bool cr;     /* a chunk ended between CR and LF */
	bool line_begun;
	octets_t size; /* of all chunks */
	struct drop_child child;
};

void say(const char *fmt, ...) PRINTF(1, 2);
/* One line without its end, in *line, which getline(3) keeps. False at the end of input.
 */
bool hear(char **line, size_t *room, struct str *out);
/* Ends the transaction; what was not answered with 250 is not sent. */
void forget(struct dialogue *d);

/* sendmail_content.c */
void verb_data(struct dialogue *d, struct str args);
void verb_bdat(struct dialogue *d, struct str args);
/* Gives up what was taken in of an unfinished message. */
void content_abort(struct dialogue *d);

#endif
