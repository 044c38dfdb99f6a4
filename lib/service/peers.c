/* peers.c -- other services, reached through broker: nobody connects by path. */
#include "config.h"
#include "service_impl.h"
#include "messages.h"
#include "log.h"
#include <errno.h>
#include <unistd.h>

/* A broker that died is replaced sooner than this. */
#define LINK_PATIENCE ((msec_t)1000)

static struct {
	struct ipc_link *broker; /* NULL: lost; master will send another */
	unsigned brokers;        /* how many there were */
	struct timer lost;
	struct co_queue replaced;
	struct map *named; /* name -> struct ipc_peer */
} peers;

/* ---- the link to broker ---- */

/* It was not broker that died: the link broke at our end, where memory or descriptors
 * were short. Nobody else knows. */
static void
ask_for_link(void *arg)
{
	(void)arg;
	control_tell(CONTROL_UNLINKED, 0);
	timer_set(&peers.lost, deadline_in(LINK_PATIENCE), ask_for_link, NULL);
}

static void
broker_lost(struct ipc_link *link, void *ctx)
{
	(void)ctx;
	if (peers.broker != link)
		return;
	peers.broker = NULL;
	timer_set(&peers.lost, deadline_in(LINK_PATIENCE), ask_for_link, NULL);
}

static void
broker_use(int fd)
{
	static const struct ipc_handler none[] = { { .type = 0 } };

	timer_cancel(&peers.lost);
	peers.brokers++;
	peers.broker = ipc_link_open(fd, none, NULL, broker_lost, "broker");
	co_wake_all(&peers.replaced);
}

void
peers_start(int link)
{
	peers.named = map_new();
	if (link >= 0)
		broker_use(link);
}

void
peers_replace(int link)
{
	struct ipc_link *old = peers.broker;

	peers.broker = NULL;
	if (old)
		ipc_link_close(old);
	broker_use(link);
}

/* ---- asking it ---- */

SWITCHES static int
ask_once(struct str peer, deadline_t patience)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf ask CLEANUP(buf_free) = BUF_INIT;
	struct connect_reply said;
	struct str reply;
	int fd = -1;

	connect_request_put(&ask, &(struct connect_request){ .peer = peer });
	if (ipc_link_call(peers.broker, connect_TYPE, buf_str(&ask), -1, arena, &reply,
		    &fd, patience) < 0)
		return -1;
	if (connect_reply_get(reply, &said, arena) == 0 && said.error == 0 && fd >= 0)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = said.error ? (int)said.error : EPROTO;
	return -1;
}

/* A broker that died or was replaced: the next is asked, which may be there already. */
SWITCHES static int
ask_broker(struct str peer, deadline_t patience)
{
	for (;;) {
		unsigned asked;
		int fd;

		while (!peers.broker)
			if (co_wait(&peers.replaced, patience) < 0)
				return -1;
		asked = peers.brokers;
		fd = ask_once(peer, patience);
		if (fd >= 0 || (errno != ECONNRESET && errno != EPIPE) ||
			(peers.broker && peers.brokers == asked))
			return fd;
	}
}

SWITCHES int
service_connect_peer(const char *name, deadline_t patience)
{
	return ask_broker(str_c(name), patience);
}

SWITCHES int
service_connect(const char *endpoint, deadline_t patience)
{
	return ask_broker(str_c(endpoint), patience);
}

struct ipc_peer *
service_peer(const char *name)
{
	static const struct ipc_handler none[] = { { .type = 0 } };
	struct ipc_peer *peer = map_get(peers.named, str_c(name));

	if (!peer) {
		peer = ipc_peer_new(name, service_connect_peer, none, NULL);
		map_set(peers.named, str_c(name), peer);
	}
	return peer;
}
