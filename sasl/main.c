/* main.c -- sasl: Cyrus SASL for those who serve clients. See README. */
#include "client.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include <errno.h>
#include <sys/socket.h>

/* Part of a file's name, or of what the library makes of it. */
static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.data[i]) && !strchr("-_.@", s.data[i]))
			return false;
	return s.len > 0 && s.len <= 255 && s.data[0] != '.';
}

/* cyrus_sasl_config_path, or where Debian's Postfix looks. */
static const char *
directories(struct arena *arena)
{
	const struct conf *c = service_conf();

	if (c->p.cyrus_sasl_config_path.len)
		return arena_str(arena, c->p.cyrus_sasl_config_path).data;
	return arena_printf(arena, STR_FMT "/sasl:/usr/lib/sasl2", STR_ARG(c->directory))
		.data;
}

static int
attach(const struct sasl_attach_request *ask, struct arena *arena)
{
	struct cyrus_config config = { .directories = directories(arena) };
	int pair[2];

	errno = EINVAL;
	if (!is_name(ask->application) || !is_name(ask->service) ||
		(ask->realm.len && !is_name(ask->realm)) ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	config.application = arena_str(arena, ask->application).data;
	config.service = arena_str(arena, ask->service).data;
	config.host = arena_str(arena, service_conf()->p.myhostname).data;
	config.realm = ask->realm.len ? arena_str(arena, ask->realm).data : NULL;
	client_begin(pair[1], &config);
	return pair[0];
}

static void
answer(struct ipc_request *rq)
{
	struct buf reply CLEANUP(buf_free) = BUF_INIT;
	struct sasl_attach_reply say = { 0 };
	struct sasl_attach_request ask;
	int fd CLEANUP(fd_close) = -1;

	errno = EPROTO;
	if (sasl_attach_request_get(rq->payload, &ask, rq->arena) == 0)
		fd = attach(&ask, rq->arena);
	say.error = fd < 0 ? (uint32_t)errno_of_failure() : 0;
	sasl_attach_reply_put(&reply, &say);
	ipc_reply(rq, buf_str(&reply), fd);
}

static const struct ipc_handler handlers[] = {
	{ .type = sasl_attach_TYPE, .run = answer },
	{ 0 },
};

static void
leave(void)
{
	service_leave();
}

static void
drain(void)
{
	clients_finish(leave);
}

static const struct service sasl = {
	.name = "sasl",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_FORK | SANDBOX_GROUPS | SANDBOX_CLIENTS | SANDBOX_TABLES |
		   SANDBOX_CONNECT_LOCAL | SANDBOX_INTERNET | SANDBOX_DNS_FILES,
	.handlers = handlers,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return service_main(&sasl, argc, argv);
}
