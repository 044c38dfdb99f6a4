/* tlsmgr -- what processes that speak TLS share: the private keys of servers, which
 * nobody else has, the keys of session tickets, and sessions with servers. */
#include "event.h"
#include "keys.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include "sessions.h"
#include "tickets.h"

#define LIFETIME_LEAST \
	((msec_t)120000) /* of smtpd_tls_session_cache_timeout, as Postfix */

/* Handlers run in the loop, where what they look at does not change. */

static void
give_keys(struct ipc_request *rq)
{
	msec_t lifetime = service_conf()->p.smtpd_tls_session_cache_timeout;
	struct ticket_keys keys = { .n = 0 };
	struct ticket_key list[COUNT(keys.keys)];
	struct ticket_keys_reply say = { .keys = list };

	if (tickets_now(MAX(lifetime, LIFETIME_LEAST), event_now(), &keys) < 0)
		log_warn("ticket keys: %m");
	for (size_t i = 0; i < keys.n; i++)
		list[i].bytes = keys.keys[i];
	say.n_keys = keys.n;
	say.good_for = (uint64_t)keys.good_for;
	ticket_keys_answer(rq, &say);
}

static void
find_session(struct ipc_request *rq)
{
	struct tls_session_request ask;
	struct tls_session_reply say = { .session = STR_NONE };

	if (tls_session_request_get(rq->payload, &ask, rq->arena) == 0)
		say.session = sessions_find(ask.key, event_now());
	tls_session_answer(rq, &say);
}

static void
keep_session(struct ipc_request *rq)
{
	struct tls_session_keep_note note;

	if (tls_session_keep_note_get(rq->payload, &note, rq->arena) == 0 &&
		note.good_for <= INT32_MAX)
		sessions_keep(note.key, note.session, deadline_in((msec_t)note.good_for));
	ipc_done(rq);
}

static const struct ipc_handler handlers[] = {
	{ .type = ticket_keys_TYPE, .run = give_keys, .direct = true, .in_place = true },
	{ .type = tls_session_TYPE,
		.run = find_session,
		.direct = true,
		.in_place = true },
	{ .type = tls_session_keep_TYPE,
		.run = keep_session,
		.direct = true,
		.in_place = true },
	{ .type = tls_identity_TYPE, .run = keys_identity, .stack = CO_STACK_LARGE },
	{ .type = tls_sni_TYPE, .run = keys_sni, .stack = CO_STACK_LARGE },
	{ .type = tls_key_TYPE, .run = keys_use, .stack = CO_STACK_SMALL },
	{ 0 },
};

/* What is kept here is lost when we go: we stay, once somebody needed us. */
static void
start(void)
{
	service_busy(1);
}

static bool
reload(const struct conf *fresh)
{
	(void)fresh; /* keys and sessions outlive it */
	return true;
}

static void
drain(void)
{
	service_leave();
}

static const struct service tlsmgr = {
	.name = "tlsmgr",
	.user = USER_KEY,
	.before_jail = keys_start,
	.start = start,
	.handlers = handlers,
	.reload = reload,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return service_main(&tlsmgr, argc, argv);
}
