/* datagrams.c -- listeners of type unix-dgram: whatever waits is handed to the service, a
 * datagram at a time. */
#include "service_impl.h"
#include "log.h"
#include <errno.h>
#include <sys/socket.h>

#define DATAGRAM_MOST 4096 /* the rest of a longer one is dropped */

static struct {
	struct io open[SPAWN_LISTENERS];
	size_t n;
} receiving;

/* Those that wait are one session, as it were: who has them in hand is not idle. */
static void
take_all(int fd)
{
	static char bytes[DATAGRAM_MOST];
	ssize_t got;

	worker.sessions++;
	control_load_changed();
	while ((got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0) {
		worker.service->datagram(str_of(bytes, (size_t)got));
		worker.served++;
	}
	worker.sessions--;
	control_load_changed();
}

static void
receive(void *arg)
{
	struct io *io = arg;

	while (io_wait_read(io, DEADLINE_NEVER) == 0) {
		io->readable = false;
		take_all(io->fd);
	}
}

void
datagrams_start(void)
{
	for (size_t i = 0; i < worker.spawn.n_listeners; i++) {
		struct io *io = &receiving.open[receiving.n++];

		if (io_open(io, worker.spawn.listeners[i]) < 0)
			log_fatal("receiving on descriptor %d: %m",
				worker.spawn.listeners[i]);
		co_spawn(receive, io, CO_STACK_SMALL);
	}
}

void
datagrams_stop(void)
{
	while (receiving.n > 0)
		io_close(&receiving.open[--receiving.n]);
}
