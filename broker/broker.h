/* broker.h -- who may reach whom, and where that is. */
#ifndef BROKER_H
#define BROKER_H

#include "base.h"
#include "conf.h"

/* ---- permits.c ---- */
bool permits(const char *program, struct str peer_program);
/* Sockets that are not ours: "unix:path". Which ones tables of the administrator say, and
 * only the asking program reads those; broker sees to it that it is none of ours. */
bool permits_endpoints(const char *program);

/* ---- directory.c: the unix services of master.cf ---- */
struct directory;
struct destination {
	struct str program;
	const char *socket; /* absolute */
	bool missing;       /* there is no such program: nobody will answer */
};
/* NULL, logged, when master.cf cannot be read. */
struct directory *directory_read(const struct conf *c) MUST_CHECK;
void directory_free(struct directory *d);
/* NULL: no such service. */
const struct destination *directory_find(const struct directory *d, struct str service);

#endif
