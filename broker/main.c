/* main.c -- broker: connects for those who may not. See README. */
#include "config.h"
#include "broker.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include "spawn.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct directory *directory;

const struct directory *
broker_directory(void)
{
	return directory;
}

/* ---- connecting ---- */

/* Did master make the listening socket, whatever path led there? */
static bool
is_ours(int fd)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	       peer.pid == getppid();
}

static bool
may_reach(const struct ipc_caller *caller, struct str endpoint)
{
	switch (permits_endpoints(caller->program)) {
	case ENDPOINTS_ANY:
		return true;
	case ENDPOINTS_NAMED:
		return endpoints_have(directory_endpoints(directory), endpoint);
	case ENDPOINTS_EVENTS:
		return str_eq(endpoint, service_conf()->p.event_socket);
	case ENDPOINTS_NONE:
		break;
	}
	return false;
}

/* "unix:path", below the queue directory unless absolute. -1 and errno. */
SWITCHES static int
open_unix(const struct ipc_caller *caller, struct str path)
{
	struct buf whole CLEANUP(buf_free) = BUF_INIT;
	int fd;

	errno = EPERM;
	if (str_chr(path, 0) >= 0)
		return -1;
	if (!str_starts(path, STR("/")))
		buf_printf(
			&whole, STR_FMT "/", STR_ARG(service_conf()->p.queue_directory));
	buf_add(&whole, path);
	fd = dial_unix(buf_cstr(&whole));
	if (fd < 0 || !is_ours(fd) || directory_is_spawned(directory, buf_cstr(&whole)))
		return fd;
	log_warn("%s (service %s, process %d) may not reach our own socket " STR_FMT,
		caller->program, caller->service, (int)caller->pid, STR_ARG(path));
	fd_close(&fd);
	errno = EPERM;
	return -1;
}

/* A socket of other software, or of spawn(8), behind which is other software. */
SWITCHES static int
open_endpoint(const struct ipc_caller *caller, struct str endpoint)
{
	bool inet = str_starts(endpoint, STR("inet:"));

	errno = EPERM;
	if (!may_reach(caller, endpoint) ||
		(inet && permits_endpoints(caller->program) == ENDPOINTS_ANY))
		return -1;
	return inet ? dial_inet(service_conf(), str_from(endpoint, 5))
		    : open_unix(caller, str_from(endpoint, 5));
}

/* -1 and errno: ENOENT no such service, EPERM not for this caller, ECONNREFUSED there is
 * no program to answer. */
SWITCHES static int
open_peer(const struct ipc_caller *caller, struct str service)
{
	const struct destination *to = directory_find(directory, service);
	int fd;

	if (str_starts(service, STR("unix:")) || str_starts(service, STR("inet:")))
		return open_endpoint(caller, service);
	errno = ENOENT;
	if (!to)
		return -1;
	errno = EPERM;
	if (!permits(caller->program, to->program)) {
		log_warn("%s (service %s, process %d) may not reach " STR_FMT,
			caller->program, caller->service, (int)caller->pid,
			STR_ARG(service));
		errno = EPERM;
		return -1;
	}
	errno = ECONNREFUSED;
	if (to->missing)
		return -1;
	fd = dial_unix(to->socket);
	if (fd >= 0 && ipc_hello(fd, caller) < 0)
		fd_close(&fd);
	return fd;
}

/* ---- one worker ---- */

struct client {
	struct ipc_caller who;
};

static void
answer(struct ipc_request *rq)
{
	struct buf reply CLEANUP(buf_free) = BUF_INIT;
	struct connect_reply say = { 0 };
	struct connect_request ask;
	struct ipc_caller caller = { .pid = 0 };
	int fd CLEANUP(fd_close) = -1;

	/* The worker may be gone now, and its ctx with it, or be gone when we connected.
	 */
	if (rq->link)
		caller = ((const struct client *)rq->ctx)->who;
	errno = EPROTO;
	if (rq->link && connect_request_get(rq->payload, &ask, rq->arena) == 0)
		fd = open_peer(&caller, ask.peer);
	say.error = fd < 0 ? (uint32_t)errno : 0;
	connect_reply_put(&reply, &say);
	ipc_reply(rq, buf_str(&reply), fd);
}

static const struct ipc_handler handlers[] = {
	{ .type = connect_TYPE, .run = answer },
	{ 0 },
};

static void
client_gone(struct ipc_link *link, void *ctx)
{
	(void)link;
	mem_free(ctx);
}

static void
client_add(const struct spawn_identity *who, int link)
{
	struct client *client = mem_alloc(sizeof(*client));

	memcpy(client->who.program, who->program, sizeof(client->who.program));
	memcpy(client->who.service, who->service, sizeof(client->who.service));
	client->who.pid = (pid_t)who->pid;
	client->who.uid = who->uid;
	ipc_link_open(link, handlers, client, client_gone, client->who.program);
}

/* ---- what master tells ---- */

static void
on_identity(struct io *io)
{
	struct spawn_identity who;
	int link, got;

	while ((got = identity_receive(io->fd, &who, &link)) > 0)
		if (link >= 0)
			client_add(&who, link);
	if (got == 0)
		io_close(io); /* master is gone: those who are here go on */
	io->readable = false;
}

static void
start(void)
{
	static struct io io;

	if (io_open(&io, service_spawn()->identities) < 0)
		log_fatal("the socket to master: %m");
	io.on_event = on_identity;
}

static void
before_jail(void)
{
	directory = directory_read(service_conf());
	if (!directory)
		log_fatal("broker needs master.cf");
}

static bool
reload(const struct conf *fresh)
{
	struct directory *next = directory_read(fresh);

	if (!next)
		return true;
	directory_free(directory);
	directory = next;
	return true;
}

static const struct service broker = {
	.name = "broker",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_CONNECT_LOCAL | SANDBOX_INTERNET | SANDBOX_TABLES,
	.before_jail = before_jail,
	.start = start,
	.reload = reload,
};

int
main(int argc, char **argv)
{
	return service_main(&broker, argc, argv);
}
