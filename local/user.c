/* user.c -- a user of this machine: who he is, and which of the many ways is his. In the
 * order of local(8):
 *
 *	.forward, mailbox_transport_maps, mailbox_transport, mailbox_command_maps,
 *	mailbox_command, home_mailbox, mail_spool_directory;
 *	without such a user: fallback_transport_maps, fallback_transport, luser_relay */
#include "local.h"
#include "explain.h"
#include "log.h"
#include "mailbox.h"
#include "route.h"
#include "runner.h"

enum verdict
user_find(struct recipient *r, struct str name, uid_t uid, struct user *out,
	struct why *why)
{
	struct user_request ask = { .name = name, .uid = uid };
	struct user_reply said;
	enum verdict v = runner_user(
		default_user.uid, default_user.gid, &ask, r->d->arena, &said, why);

	if (v == ACCEPT)
		*out = (struct user){ said.name, said.home, said.shell, said.uid,
			said.gid };
	explain_step("user", STR_NONE, name, v == ACCEPT ? "has home" : "is unknown",
		v == ACCEPT ? out->home : str_c(why->text));
	return v;
}

/* A transport does all that is left: qmgr passes the recipient on. What an alias made of
 * him is another recipient, and comes by here again as a message of his own. */
static void
pass(struct recipient *r, const struct context *c, struct str to)
{
	struct str transport, nexthop = to;

	if (!str_case_eq(c->address, r->d->envelope.rcpts[r->index].address)) {
		forward_to(r, c, c->address);
		return;
	}
	if (!str_split(&nexthop, ':', &transport) || nexthop.len == 0)
		nexthop = r->d->ask.nexthop;
	r->pass_to = arena_printf(
		r->d->arena, STR_FMT ":" STR_FMT, STR_ARG(transport), STR_ARG(nexthop));
}

/* One of the maps with its parameter behind it. True: there is a transport, or a table
 * failed (recorded). */
static bool
passed(struct recipient *r, const struct context *c, struct maps *maps,
	struct str otherwise)
{
	struct str to = otherwise, value;
	struct why why;

	switch (maps_find(maps, c->user, r->d->arena, &value, &why)) {
	case DICT_ERROR:
		recipient_ended(r, c->address, TEMPFAIL, "4.3.0", "table lookup failure");
		return true;
	case DICT_FOUND:
		to = value;
		break;
	case DICT_NOTFOUND:
		break;
	}
	if (to.len > 0)
		pass(r, c, to);
	return to.len > 0;
}

/* As if an alias had named it: what is local stays within this delivery. */
static void
relay_deliver(struct recipient *r, const struct context *c, struct str relay)
{
	struct item item = { .kind = ITEM_ADDRESS,
		.text = address_quote(relay, r->d->arena) };
	struct items items = { .list = { .items = &item, .n = 1 } };
	struct context inner = *c;

	inner.unmatched = STR_NONE;
	inner.depth++;
	items_deliver(r, &inner, &items);
}

static void
nobody_deliver(struct recipient *r, const struct context *c)
{
	const struct params *p = &r->d->conf->p;
	struct str relay;

	if (passed(r, c, tables.fallback_transport, p->fallback_transport))
		return;
	if (p->luser_relay.len == 0)
		recipient_ended(r, c->address, PERMFAIL, "5.1.1",
			"unknown user: \"" STR_FMT "\"", STR_ARG(c->user));
	else if (local_expand("luser_relay", p->luser_relay, c, NULL, STR_NONE,
			 r->d->arena, &relay) < 0)
		recipient_ended(r, c->address, TEMPFAIL, "4.3.5",
			"mail system configuration error");
	else
		relay_deliver(r, c, relay);
}

/* Into his mailbox, as he is. */
static void
somebody_deliver(struct recipient *r, const struct context *from, const struct user *u)
{
	const struct params *p = &r->d->conf->p;
	struct context own = *from, *c = &own;
	struct str command = p->mailbox_command, value;
	struct why why;

	context_reached(r, c);
	if (u->uid == 0) {
		recipient_ended(r, c->address, PERMFAIL, "5.2.1",
			"root's mail needs an alias: nothing is delivered as root");
		return;
	}
	if (been_here(r, "mailbox " STR_FMT, STR_ARG(u->name)))
		return;
	switch (maps_find(tables.mailbox_command, c->user, r->d->arena, &value, &why)) {
	case DICT_ERROR:
		recipient_ended(r, c->address, TEMPFAIL, "4.3.0", "table lookup failure");
		return;
	case DICT_FOUND:
		command = value;
		break;
	case DICT_NOTFOUND:
		break;
	}
	if (command.len > 0)
		command_deliver(r, c, u, command);
	else
		mailbox_deliver(r, c, u);
}

void
user_deliver(struct recipient *r, const struct context *c)
{
	const struct params *p = &r->d->conf->p;
	struct user u;
	struct why why;
	enum verdict v = user_find(r, c->user, 0, &u, &why);

	if (v == TEMPFAIL) {
		recipient_ended(r, c->address, v, why.code, "%s", why.text);
		return;
	}
	if (v == ACCEPT && u.uid != 0 && forward_file_deliver(r, c, &u) != PERMFAIL)
		return;
	if (passed(r, c, tables.mailbox_transport, p->mailbox_transport))
		return;
	if (v == ACCEPT)
		somebody_deliver(r, c, &u);
	else
		nobody_deliver(r, c);
}
