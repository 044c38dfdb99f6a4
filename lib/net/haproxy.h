/* haproxy.h -- the header with which a load balancer says whose connection it passes on:
 * the PROXY protocol, versions 1 and 2 (proxy-protocol.txt of HAProxy). */
#ifndef HAPROXY_H
#define HAPROXY_H

#include "net.h"

#define HAPROXY_MOST 1024 /* octets of a header; version 1 has 107 at most */

struct haproxy {
	bool local; /* the balancer speaks for itself: addresses are those of the socket
		     */
	struct net_addr client, server;
};
enum haproxy_state { HAPROXY_MORE, HAPROXY_OK, HAPROXY_BAD };
/* Reads the header that `bytes` begin with.
 *
 * OK    fills in *out; *used octets belong to it.
 * MORE  it may become one; all of `bytes` belongs to it.
 * BAD   it is none that we take; *what says why. */
enum haproxy_state haproxy_read(struct str bytes, struct haproxy *out, size_t *used,
	const char **what) MUST_CHECK;

/* Takes the header off a connection, and not an octet of what follows, which may be TLS.
 * False: it is none, or did not come in time; *what says why. */
SWITCHES bool haproxy_take(struct io *io, deadline_t patience, struct haproxy *out,
	const char **what) MUST_CHECK;

#endif
