/* explain.h -- `postern explain`: what a program finds out, in order, on its way to a
 * decision, for somebody who asks why. Outside of that all of this does nothing.
 *
 * A process explains one thing at a time (lib/service answers one request after the
 * other). Coroutines that it starts may add steps; they come where they happen. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "messages.h"

extern bool explain_on;

/* From now on steps are kept, in arena. */
void explain_begin(const struct explain_request *ask, struct arena *arena);
/* The steps since then go into *say; they live in the same arena. */
void explain_end(struct explain_reply *say);

/* May others be asked this (EXPLAIN_DNS ...)? Always, when nobody wants an explanation.
 */
bool explain_may(unsigned what);

/* One step: "restriction", "check_client_access", what it is about, "reject", the reply.
 * kind and result are words of ours; what is not known is STR_NONE. Bytes are copied, of
 * long ones the beginning. */
void explain_step(const char *kind, struct str name, struct str subject,
	const char *result, struct str text);
/* A step whose end comes later: steps until explain_close() are parts of it. */
size_t explain_open(const char *kind, struct str name, struct str subject) MUST_CHECK;
void explain_close(size_t step, const char *result, struct str text);
/* One look-up for a parameter, in a table, or (table STR_NONE) in a list of names. */
void explain_lookup(const char *parameter, struct str table, struct str key,
	const char *result, struct str text);
/* "accepts", "fails for now", "fails" */
const char *explain_verdict(enum verdict verdict);
/* What the dns service said about a name. */
void explain_dns(struct str name, uint16_t type, const struct dns_reply *said);
/* An address that became another one, or the same. */
void explain_rewrite(const char *how, struct str from, struct str to);

#endif
