/* local -- delivers to the users of this machine (local(8)). */
#include "local.h"
#include "log.h"
#include "route.h"
#include "writer.h"
#include <stdio.h>

#define SLOTS 100

struct maps *alias_maps;
struct route *local_route;

void
recipient_ended(struct recipient *r, struct str address, enum verdict verdict,
	const char *code, const char *fmt, ...)
{
	struct why why;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why.text, sizeof(why.text), fmt, ap);
	va_end(ap);
	snprintf(why.code, sizeof(why.code), "%s", code);
	delivery_record(r->d, r->index, address, verdict, why.code, STR("local"),
		str_c(why.text));
	/* One part that must be tried again makes the whole be tried again. */
	if (verdict == ACCEPT ? r->why.code[0] == '\0'
			      : r->verdict != TEMPFAIL || verdict == TEMPFAIL) {
		r->verdict = verdict;
		r->why = why;
	}
}

/* Was the message here before (RFC 5321 section 6.3)? cleanup noted its Delivered-To:. */
static bool
was_here(const struct delivery *d, struct str address)
{
	for (size_t i = 0; i < d->envelope.attributes.n; i++) {
		struct str at = d->envelope.attributes.items[i];

		if (str_starts(at, STR(ATTRIBUTE_DELIVERED)) &&
			str_case_eq(
				str_from(at, sizeof(ATTRIBUTE_DELIVERED) - 1), address))
			return true;
	}
	return false;
}

void
name_deliver(struct recipient *r, struct str name, struct str address, int depth)
{
	const struct params *p = &r->d->conf->p;
	struct str user = name, extension = STR_NONE;

	if (depth > ALIAS_DEPTH_MOST) {
		log_warn("possible alias database loop for %.*s", STR_ARG(name));
		recipient_ended(r, address, PERMFAIL, "5.4.6",
			"possible alias database loop "
			"for %.*s",
			STR_ARG(name));
		return;
	}
	address_split_extension(name, p->recipient_delimiter, p->owner_request_special,
		p->double_bounce_sender, &user, &extension);
	if (str_case_eq(name, p->double_bounce_sender)) {
		recipient_ended(r, address, ACCEPT, "2.0.0",
			"undeliverable postmaster "
			"notification discarded");
		return;
	}
	/* A name that is on its way through its own alias means the user of that name. */
	if (map_set(r->seen, arena_lower(r->d->arena, name), r) ||
		alias_deliver(r, user, extension, depth) == PERMFAIL)
		user_deliver(r, user, extension, address);
}

static void
recipient_deliver(struct delivery *d, size_t i)
{
	struct recipient r = { .d = d, .index = i, .seen = map_new() };
	struct str address = d->envelope.rcpts[i].address, name, domain;

	address_split(address, &name, &domain);
	if (was_here(d, address))
		recipient_ended(&r, address, PERMFAIL, "5.4.6",
			"mail forwarding loop for %.*s", STR_ARG(address));
	else
		name_deliver(&r, name, address, 0);
	forward_send(&r);
	if (r.why.code[0] == '\0')
		recipient_ended(&r, address, ACCEPT, "2.0.0", "nothing to deliver to");
	delivery_settle(d, i, r.verdict, r.why.code, str_c(r.why.text));
	map_free(r.seen);
	vec_free(&r.forward);
}

static void
local_deliver(struct delivery *d)
{
	for (size_t i = 0; i < d->envelope.n_rcpts; i++)
		recipient_deliver(d, i);
}

static void
local_before_jail(void)
{
	const struct conf *c = service_conf();

	alias_maps =
		maps_open("alias_maps", c->p.alias_maps, DICT_FOLD | DICT_NO_PROXY, c);
	local_route = route_open(c, 0);
	service_allow_read("/etc"); /* the user database */
	service_allow_write(c->p.home_mailbox.len > 0
				    ? "/"
				    : arena_cstr(c->arena, c->p.mail_spool_directory));
}

static void
local_start(void)
{
	agent_run(local_deliver, SLOTS);
}

static void
local_drain(void)
{
	agent_drain();
	writers_close();
}

static const struct service local = {
	.name = "local",
	.user = USER_ROOT,
	.sandbox = SANDBOX_SPAWN | SANDBOX_TABLES | SANDBOX_PCRE,
	.peers = (const char *const[]){ "qmgr", "cleanup", "cleanup-suspect", "proxymap",
		NULL },
	.before_jail = local_before_jail,
	.start = local_start,
	.drain = local_drain,
};

int
main(int argc, char **argv)
{
	return service_main(&local, argc, argv);
}
