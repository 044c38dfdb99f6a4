/* verp.h -- variable envelope return paths: each recipient gets a sender of his own, so
 * that what comes back says for whom it was (sendmail -XV). */
#ifndef VERP_H
#define VERP_H

#include "base.h"
#include "messages.h"

/* The two delimiters that a message was submitted with, or none. */
struct str verp_delimiters(const struct envelope *e);
/* s@sender.example for u@to.example with "+=": s+u=to.example@sender.example. The
 * recipient is the one that the message was sent to, before aliases. */
struct str verp_sender(
	struct str delimiters, struct str sender, const struct rcpt *r, struct arena *a);

#endif
