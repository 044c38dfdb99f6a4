/* https.h -- fetches one small file from a web server that has to prove who it is. */
#ifndef HTTPS_H
#define HTTPS_H

#include "base.h"

struct https_question {
	struct str host; /* a name: its certificate has to have it */
	unsigned port;
	struct str path;            /* "/..." */
	struct str addresses;       /* of the host: "192.0.2.1,[2001:db8::1]"; no DNS */
	struct str authorities;     /* whom to trust, PEM; none: nobody of these */
	struct str authorities_dir; /* whom else, as `openssl rehash` makes it; or none */
	size_t most;                /* bytes of the answer */
	msec_t time_limit;          /* for all of it */
};

/* Once, before threads and jail: reads what the library wants to read. */
int https_prepare(struct why *why);
/* GET (RFC 9110); only 200 with text/plain is an answer, no redirection is followed.
 * Appends it to *body. -1: *why has the text for the log. Any thread. */
BLOCKS int https_get(const struct https_question *q, struct buf *body, struct why *why);

#endif
