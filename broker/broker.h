/* broker.h -- who may reach whom, and where that is. */
#ifndef BROKER_H
#define BROKER_H

#include "base.h"
#include "conf.h"

/* ---- permits.c ---- */
bool permits(const char *program, struct str peer_program);
/* Sockets that are not ours: "unix:path", "inet:host:port". Which unix ones may stand in
 * any table of the administrator, and only the asking program reads those (ANY: broker
 * sees to it that it is none of ours); or they have to stand in main.cf or master.cf; or
 * there is but one, event_socket. */
enum endpoints_allowed {
	ENDPOINTS_NONE,
	ENDPOINTS_ANY,
	ENDPOINTS_NAMED,
	ENDPOINTS_EVENTS
};
enum endpoints_allowed permits_endpoints(const char *program);

/* ---- endpoints.c ---- */
struct endpoints;
/* Those that the configuration names. BLOCKS */
struct endpoints *endpoints_new(const struct conf *c, const struct master_conf *m)
	MUST_CHECK;
void endpoints_free(struct endpoints *e);
bool endpoints_have(const struct endpoints *e, struct str endpoint);

/* ---- dial.c: a connected descriptor, or -1 and errno ---- */
SWITCHES int dial_unix(const char *path) MUST_CHECK;
/* "host:port", "[v6]:port". */
SWITCHES int dial_inet(const struct conf *c, struct str endpoint) MUST_CHECK;

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
/* Is this the socket of a service that spawn(8) runs somebody else's program for? */
bool directory_is_spawned(const struct directory *d, const char *path);
const struct endpoints *directory_endpoints(const struct directory *d);

/* ---- main.c ---- */
const struct directory *broker_directory(void); /* as of now */

#endif
