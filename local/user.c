/* user.c -- the mailbox of a user: home_mailbox, or a file in mail_spool_directory. */
#include "local.h"
#include "log.h"
#include "writer.h"
#include <errno.h>
#include <pwd.h>

/* A look-up in the user database, which may ask the network: done in a helper thread. */
struct user_query {
	const char *name;
	struct passwd pw, *found;
	char buffer[4096];
	int error;
};

static void
user_query_run(void *arg)
{
	struct user_query *q = arg;

	q->error = getpwnam_r(q->name, &q->pw, q->buffer, sizeof(q->buffer), &q->found);
}

/* Errors that some systems give for "no such user" are not errors. */
static bool
is_real_error(int error)
{
	return error != 0 && error != ENOENT && error != ESRCH && error != EBADF &&
	       error != EPERM;
}

static enum verdict
user_find(const char *name, struct user_query *q, struct why *why)
{
	q->name = name;
	event_offload(user_query_run, q);
	if (q->found)
		return ACCEPT;
	if (is_real_error(q->error))
		return why_set(why, "4.3.0", "user lookup error: %s", strerror(q->error));
	return why_set(why, "5.1.1", "unknown user: \"%s\"", name);
}

static struct str
mailbox_path(struct recipient *r, const struct passwd *pw)
{
	const struct params *p = &r->d->conf->p;
	struct arena *a = r->d->arena;

	if (p->home_mailbox.len > 0)
		return arena_printf(a, "%s/%.*s", pw->pw_dir, STR_ARG(p->home_mailbox));
	if (str_ends(p->mail_spool_directory, STR("/")))
		return arena_printf(
			a, "%.*s%s/", STR_ARG(p->mail_spool_directory), pw->pw_name);
	return arena_printf(a, "%.*s/%s", STR_ARG(p->mail_spool_directory), pw->pw_name);
}

void
user_deliver(
	struct recipient *r, struct str name, struct str extension, struct str address)
{
	struct delivery *d = r->d;
	const struct rcpt *rcpt = &d->envelope.rcpts[r->index];
	char *user = arena_cstr(d->arena, arena_lower(d->arena, name));
	struct user_query *q = arena_alloc(d->arena, sizeof(*q));
	struct mailbox_request ask;
	struct why why = { .code = "5.1.1", .text = "unknown user" };
	enum verdict v = user ? user_find(user, q, &why) : PERMFAIL;

	(void)extension;
	if (v == ACCEPT && q->pw.pw_uid == 0) /* root's mail is for an alias of his */
		v = why_set(&why, "5.2.1",
			"root's mail needs an alias: nothing is delivered as "
			"root");
	if (v != ACCEPT) {
		recipient_ended(r, address, v, why.code, "%s", why.text);
		return;
	}
	ask = (struct mailbox_request){
		.path = mailbox_path(r, &q->pw),
		.headers = arena_printf(d->arena,
			"Return-Path: <%.*s>\nX-Original-To: %.*s\nDelivered-To: %.*s\n",
			STR_ARG(d->envelope.sender),
			STR_ARG(rcpt->original.data ? rcpt->original : rcpt->address),
			STR_ARG(rcpt->address)),
		.sender = d->envelope.sender,
		.content = d->ask.content,
		.rest = d->ask.rest,
		.limit = (uint64_t)d->conf->p.mailbox_size_limit,
		.locks = d->conf->p.mailbox_delivery_lock,
	};
	v = writer_deliver(q->pw.pw_uid, q->pw.pw_gid, &ask, d->rest_fd, d->arena, &why);
	if (v == ACCEPT)
		recipient_ended(r, address, ACCEPT, "2.0.0",
			str_ends(ask.path, STR("/")) ? "delivered to maildir"
						     : "delivered to mailbox");
	else
		recipient_ended(r, address, v, why.code, "%s", why.text);
}
