/* local -- delivers to the users of this machine (local(8)). */
#include "local.h"
#include "launcher.h"
#include "log.h"
#include "route.h"
#include "runner.h"
#include "writer.h"
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define SLOTS 100

struct local_tables tables;
struct route *local_route;
struct user default_user, list_reader;

void
recipient_ended(struct recipient *r, struct str address, enum verdict verdict,
	const char *code, const char *fmt, ...)
{
	struct why said, why;
	struct judgement j;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said.text, sizeof(said.text), fmt, ap);
	va_end(ap);
	j = delivery_judge(r->d, verdict, code, str_c(said.text));
	delivery_record(r->d, address,
		r->of_owner ? STR_NONE : rcpt_original(&r->d->envelope.rcpts[r->index]),
		&j, STR("local"));
	verdict = why_set(&why, j.code, STR_FMT, STR_ARG(j.text));
	r->deferrals += verdict == TEMPFAIL;
	/* One part that must be tried again makes the whole be tried again. */
	if (verdict == ACCEPT ? r->why.code[0] == '\0'
			      : r->verdict != TEMPFAIL || verdict == TEMPFAIL) {
		r->verdict = verdict;
		r->why = why;
	}
}

bool
been_here(struct recipient *r, const char *fmt, ...)
{
	struct buf key CLEANUP(buf_free) = BUF_INIT;
	int most = r->d->conf->p.duplicate_filter_limit;
	struct str folded;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&key, fmt, ap);
	va_end(ap);
	folded = arena_lower(r->d->arena, buf_str(&key));
	if (map_get(r->seen, folded))
		return true;
	if (most == 0 || map_count(r->seen) < (size_t)most)
		map_set(r->seen, folded, r);
	return false;
}

bool
list_has(struct str list, const char *word)
{
	struct str item;

	while (str_token(&list, ", \t\r\n", &item))
		if (str_is(item, word))
			return true;
	return false;
}

void
context_reached(const struct recipient *r, struct context *c)
{
	if (!r->d->conf->p.frozen_delivered_to)
		c->delivered = c->address;
}

/* A member of a list gets a message of his own, so that its failure goes to the list's
 * owner and its delivery is tried by itself; and so does whomever a user forwards to. */
static bool
goes_as_new_mail(const struct context *c)
{
	return c->apart || c->listed ||
	       (c->sent_by.len > 0 && !str_case_eq(c->user, c->sent_by));
}

void
name_deliver(struct recipient *r, const struct context *from, struct str name,
	struct str domain)
{
	const struct params *p = &r->d->conf->p;
	struct context c = *from;

	c.address = arena_printf(
		r->d->arena, STR_FMT "@" STR_FMT, STR_ARG(name), STR_ARG(domain));
	c.domain = domain;
	c.local = c.user = arena_lower(r->d->arena, name);
	c.extension = STR_NONE;
	address_split_extension(c.local, p->recipient_delimiter, p->owner_request_special,
		p->double_bounce_sender, &c.user, &c.extension);
	if (been_here(r, "recipient %d " STR_FMT, c.depth, STR_ARG(c.address)))
		return;
	/* Whatever it came by: the loop may have begun in another alias. */
	if (delivery_was_here(r->d, c.address))
		recipient_ended(r, c.address, PERMFAIL, "5.4.6",
			"mail forwarding loop for " STR_FMT, STR_ARG(c.address));
	else if (str_case_eq(name, p->double_bounce_sender))
		recipient_ended(r, c.address, ACCEPT, "2.0.0",
			"undeliverable postmaster notification discarded");
	else if (alias_deliver(r, &c) != PERMFAIL)
		return;
	else if (goes_as_new_mail(&c))
		forward_to(r, &c, c.address);
	else
		user_deliver(r, &c);
}

/* Follows one recipient until all it becomes is done or in r->forward. */
void
recipient_follow(struct recipient *r)
{
	struct delivery *d = r->d;
	struct context c = { .sender = d->envelope.sender, .as = &default_user };
	struct str address = d->envelope.rcpts[r->index].address, name, domain;

	address_split(address, &name, &domain);
	c.delivered = address;
	name_deliver(r, &c, name, domain);
}

/* What the sender is told of it. */
static void
recipient_settle(struct recipient *r)
{
	struct judgement j = { .verdict = r->verdict, .text = str_c(r->why.text) };

	memcpy(j.code, r->why.code, sizeof(j.code));
	if (j.verdict == ACCEPT && r->expansion != NOT_EXPANDED && !r->d->ask.probe)
		j.text = STR("alias expanded");
	delivery_settle(r->d, r->index, &j, STR("local"));
	if (j.verdict == ACCEPT && r->expansion == EXPANDED)
		delivery_expanded(r->d, r->index);
}

static void
recipient_deliver(struct delivery *d, size_t i)
{
	struct recipient r = { .d = d, .index = i, .seen = map_new() };
	struct str address = d->envelope.rcpts[i].address;

	recipient_follow(&r);
	forward_send(&r);
	if (r.pass_to.len > 0 && (r.why.code[0] == '\0' || r.verdict == ACCEPT))
		delivery_pass(d, i, r.pass_to);
	else {
		if (r.why.code[0] == '\0')
			recipient_ended(
				&r, address, ACCEPT, "2.0.0", "nothing to deliver to");
		recipient_settle(&r);
	}
	map_free(r.seen);
	vec_free(&r.forward);
}

static void
local_deliver(struct delivery *d)
{
	for (size_t i = 0; i < d->envelope.n_rcpts; i++)
		recipient_deliver(d, i);
}

/* ---- start ---- */

/* Somebody whom main.cf names. Nobody is root; an ordinary user's instance has only that
 * user. */
static void
named_user(const char *parameter, struct str name, struct user *out)
{
	struct arena *a = service_conf()->arena;
	const char *z = arena_cstr(a, name);
	const struct passwd *pw = geteuid() == 0 && z ? getpwnam(z) : getpwuid(geteuid());

	if (!pw)
		log_fatal(
			"parameter %s: unknown user: " STR_FMT, parameter, STR_ARG(name));
	if (geteuid() == 0 && (pw->pw_uid == 0 || pw->pw_gid == 0))
		log_fatal("parameter %s: " STR_FMT ": privileged user", parameter,
			STR_ARG(name));
	/* As in Postfix, HOME, USER and SHELL are unset for these. */
	*out = (struct user){ .uid = pw->pw_uid, .gid = pw->pw_gid };
}

static struct maps *
open_maps(const char *parameter, struct str value)
{
	return maps_open(parameter, value, DICT_FOLD | DICT_NO_PROXY, service_conf());
}

static void
local_before_jail(void)
{
	const struct conf *c = service_conf();

	tables = (struct local_tables){
		.alias = open_maps("alias_maps", c->p.alias_maps),
		.mailbox_transport =
			open_maps("mailbox_transport_maps", c->p.mailbox_transport_maps),
		.mailbox_command =
			open_maps("mailbox_command_maps", c->p.mailbox_command_maps),
		.quota = open_maps(
			"local_maildir_quota_maps", c->p.local_maildir_quota_maps),
		.fallback_transport = open_maps(
			"fallback_transport_maps", c->p.fallback_transport_maps),
	};
	agent_filter("local_delivery_status_filter", c->p.local_delivery_status_filter);
	local_route = route_open(c, 0);
	named_user("default_privs", c->p.default_privs, &default_user);
	named_user("mail_owner", c->p.mail_owner, &list_reader);
	launcher_start(&(struct launcher_settings){ .commands = true, .places = "/" }, c);
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
	runners_close();
}

static const struct service local = {
	.name = "local",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_TABLES | SANDBOX_PCRE,
	.peers = (const char *const[]){ "qmgr", "cleanup", "cleanup-suspect", "proxymap",
		NULL },
	.before_jail = local_before_jail,
	.start = local_start,
	.explain = local_explain,
	.drain = local_drain,
};

int
main(int argc, char **argv)
{
	return service_main(&local, argc, argv);
}
