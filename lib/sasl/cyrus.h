/* cyrus.h -- the door to Cyrus SASL (libsasl2): one authentication in one process, since
 * the library, its plug-ins and who they ask may hang, and keep what they like.
 * Everything here BLOCKS. For the children of sasl(8). */
#ifndef CYRUS_H
#define CYRUS_H

#include "sasl.h"

struct cyrus_config {
	const char *application; /* reads application.conf in one of ... */
	const char *directories; /* ... these, with : between them */
	const char *service;     /* "smtp" */
	const char *host;        /* our name */
	const char *realm;       /* of names without one; NULL: none */
};
/* Once in a process. log: what the library has to say, in its own words; bad: it is about
 * a failure. False and *why. */
bool cyrus_start(const struct cyrus_config *config,
	void (*log)(const char *text, bool bad), struct why *why) MUST_CHECK;
/* What there is, one call for each; for one that asks for no properties in particular. */
void cyrus_mechanisms(void (*each)(const struct sasl_mechanism *m));
/* response: as the client sent it, in base64; data NULL: none. The answer's strings are
 * good until the next call. */
void cyrus_begin(struct str mechanism, struct str response, struct sasl_answer *answer);
void cyrus_continue(struct str response, struct sasl_answer *answer);

#endif
