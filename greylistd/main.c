/* greylistd -- knows which mail was sent away, and who came back with it (RFC 6647). */
#include "cache_table.h"
#include "event.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include "triplets.h"

static struct triplets_rules
rules(void)
{
	const struct params *p = &service_conf()->p;

	return (struct triplets_rules){
		.delay = p->greylist_delay / 1000,
		.retry = p->greylist_retry_time / 1000,
		.expire = p->greylist_expire_time / 1000,
		.allow_after = (uint32_t)p->greylist_allow_count,
		.most = (size_t)p->greylist_entry_limit,
	};
}

static int64_t
now(void)
{
	return time_wall_us() / 1000000;
}

/* ---- the table ---- */

static void
give_entry(struct str key, struct str value, void *arg)
{
	cache_table_put(arg, key, value);
}

static void
give(struct cache_writer *w)
{
	struct triplets_rules r = rules();

	triplets_clean(&r, now());
	triplets_each(give_entry, w);
}

static struct cache_table table = {
	.parameter = "greylist_map",
	.take = triplets_take,
	.give = give,
};

static void
keep(struct str key, struct str value)
{
	cache_table_set(&table, key, value);
}

/* ---- requests ---- */

static void
log_answer(const struct triplet *t, const struct triplet_answer *said)
{
	if (said->is_back)
		log_info("%.*s: from=<%.*s> to=<%.*s>: came back after %lld seconds",
			STR_ARG(t->network), STR_ARG(t->sender), STR_ARG(t->recipient),
			(long long)said->waited);
	if (said->is_known)
		log_info("%.*s: came back often enough: waits no more",
			STR_ARG(t->network));
}

static void
answer(struct ipc_request *rq)
{
	struct triplets_rules r = rules();
	struct greylist_request ask;
	struct greylist_reply say = { .wait = 0 };

	if (greylist_request_get(rq->payload, &ask, rq->arena) == 0 && ask.network.len) {
		struct triplet t = { .network = ask.network,
			.sender = ask.sender,
			.recipient = ask.recipient };
		struct triplet_answer said = triplets_ask(&t, &r, now());

		log_answer(&t, &said);
		say.wait = (uint32_t)said.wait;
	}
	greylist_answer(rq, &say);
}

static const struct ipc_handler handlers[] = {
	{ .type = greylist_TYPE, .run = answer, .direct = true },
	{ 0 },
};

/* ---- start and end ---- */

static void
before_jail(void)
{
	cache_table_open(&table, service_conf()->p.greylist_map, service_conf());
	triplets_taken();
	triplets_tell(keep);
}

static void
start(void)
{
	if (!table.spec.len) /* an idle process is not to end: nothing else remembers */
		service_busy(1);
}

/* The rules are looked up for each request; the table stays the same. */
static bool
reload(const struct conf *fresh)
{
	(void)fresh;
	return true;
}

static void
drain(void)
{
	cache_table_leave(&table);
}

static const struct service greylistd = {
	.name = "greylistd",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_TABLES | SANDBOX_DATA,
	.before_jail = before_jail,
	.start = start,
	.handlers = handlers,
	.reload = reload,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return service_main(&greylistd, argc, argv);
}
