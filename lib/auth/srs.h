/* srs.h -- the sender rewriting scheme: mail that is forwarded leaves with a sender of
 * ours, since its own domain does not say that we may send for it, and a bounce to that
 * finds its way back.
 *
 *	SRS0=HASH=DAY=domain=local@ours              of local@domain
 *	SRS1=HASH=first=...=DAY=domain=local@ours    of SRS0...=DAY=domain=local@first
 *
 * The hash is keyed, so that nobody can make us send mail to whom he likes; it does not
 * see upper case, which others may take away. The day, of 1024, makes an address expire.
 * However often mail is forwarded, an address names two hosts and no more: what another
 * forwarder made becomes SRS1, which goes back to the first of them at once.
 *
 * Addresses are in their internal form. Nothing here blocks or switches. */
#ifndef SRS_H
#define SRS_H

#include "base.h"

#define SRS_SECRETS_MOST 16
#define SRS_SECRET_LEAST 16   /* octets */
#define SRS_AGE_MOST     1000 /* days */

struct srs {
	struct str domain;
	struct str secrets[SRS_SECRETS_MOST]; /* the first one signs, all are good */
	size_t n_secrets;
	unsigned days; /* how long an address is good */
};

/* Reads a file of secrets: a line each; empty ones and those that begin with # do not
 * count. They are views of the text. -1 and why->text. */
int srs_secrets_read(struct str text, struct srs *out, struct why *why) MUST_CHECK;
/* Does a local part look like one of ours? Whether it is one, the hash tells. */
bool srs_is_local_part(struct str local);
/* Appends the sender of forwarded mail. -1 and why->text: this one cannot be rewritten.
 * now: seconds since 1970. */
int srs_forward(const struct srs *s, struct str sender, int64_t now, struct buf *out,
	struct why *why) MUST_CHECK;
/* Appends whom mail to such an address is for. -1 and why->text: it is none of ours, or
 * none any more. */
int srs_reverse(const struct srs *s, struct str address, int64_t now, struct buf *out,
	struct why *why) MUST_CHECK;

#endif
