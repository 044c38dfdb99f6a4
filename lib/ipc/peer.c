/* peer.c -- peers by name: a link that is made when somebody needs it, and made again
 * when it was lost.
 *
 * The link is made in a coroutine of its own, so that the one who needed it first may
 * give up without spoiling it for the others who wait. */
#include "ipc_impl.h"
#include <errno.h>
#include <stdio.h>

enum { CONNECT_PATIENCE = 60 * 1000 };

struct ipc_peer {
	char name[64];
	SWITCHES int (*connect)(const char *name, deadline_t patience);
	const struct ipc_handler *handlers;
	void *ctx;
	void (*on_connect)(struct ipc_link *, void *ctx);
	struct ipc_link *link;  /* NULL while there is none that may be used */
	struct ipc_link *fresh; /* while on_connect runs */
	bool connecting;
	int error; /* of the last attempt */
	unsigned attempts;
	struct co_queue waiting;
};

struct ipc_peer *
ipc_peer_new(const char *name,
	SWITCHES int (*connect)(const char *name, deadline_t patience),
	const struct ipc_handler *handlers, void *ctx)
{
	struct ipc_peer *p = mem_alloc(sizeof(*p));

	snprintf(p->name, sizeof(p->name), "%s", name);
	p->connect = connect;
	p->handlers = handlers;
	p->ctx = ctx;
	return p;
}

void
ipc_peer_on_connect(struct ipc_peer *p, void (*fn)(struct ipc_link *, void *ctx))
{
	p->on_connect = fn;
}

void
peer_lost(struct ipc_peer *p, struct ipc_link *l)
{
	if (p->link == l)
		p->link = NULL;
	if (p->fresh == l)
		p->fresh = NULL;
}

static void
peer_connect(void *arg)
{
	struct ipc_peer *p = arg;
	int fd = p->connect(p->name, deadline_in(CONNECT_PATIENCE));

	p->error = fd < 0 ? errno : 0;
	if (fd >= 0) {
		p->fresh = ipc_link_open(fd, p->handlers, p->ctx, NULL, p->name);
		p->fresh->peer = p;
		if (p->on_connect)
			p->on_connect(p->fresh, p->ctx);
		p->link = p->fresh;
		p->fresh = NULL;
		if (!p->link)
			p->error = ECONNRESET;
	}
	p->connecting = false;
	p->attempts++;
	co_wake_all(&p->waiting);
}

struct ipc_link *
ipc_peer_link_now(struct ipc_peer *p)
{
	return p->link && !p->link->closing ? p->link : NULL;
}

SWITCHES struct ipc_link *
ipc_peer_link(struct ipc_peer *p, deadline_t patience)
{
	unsigned before = p->attempts;

	if (ipc_peer_link_now(p))
		return p->link;
	if (!p->connecting) {
		p->connecting = true;
		p->link = NULL;
		co_spawn(peer_connect, p, CO_STACK_SMALL);
	}
	while (p->attempts == before) {
		if (co_wait(&p->waiting, patience) < 0 && p->attempts == before)
			return NULL;
	}
	if (!ipc_peer_link_now(p))
		errno = p->error ? p->error : ECONNRESET;
	return ipc_peer_link_now(p);
}

SWITCHES int
ipc_call(struct ipc_peer *p, unsigned type, struct str payload, int fd,
	struct arena *arena, struct str *reply, deadline_t patience)
{
	for (int attempt = 0;; attempt++) {
		struct ipc_link *l = ipc_peer_link(p, patience);
		bool unsent = false;

		if (!l)
			return -1;
		if (call_wait(l, type, payload, fd, arena, reply, NULL, patience,
			    &unsent) == 0)
			return 0;
		if (errno != ECONNRESET || !unsent || attempt > 0)
			return -1;
	}
}
