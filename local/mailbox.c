/* mailbox.c -- where mail ends: a command, a file, a mailbox. Children do the work, as
 * the user. */
#include "local.h"
#include "explain.h"
#include "log.h"
#include "runner.h"
#include "writer.h"
#include <sys/stat.h>

/* ---- what stands in front of the message ---- */

static void
add_headers(
	struct recipient *r, const struct context *c, const char *what, struct buf *out)
{
	/* A member of a list with an owner is nobody's recipient but the list's. */
	unsigned which = HEADER_RETURN_PATH | (c->owned ? 0 : HEADER_ORIGINAL_TO);
	struct rcpt rcpt = r->d->envelope.rcpts[r->index];

	rcpt.original = rcpt_original(&rcpt);
	rcpt.address = c->delivered;

	if (list_has(r->d->conf->p.prepend_delivered_header, what))
		which |= HEADER_DELIVERED_TO;
	delivery_headers(r->d, &rcpt, c->sender, which, out);
}

/* ---- commands ---- */

struct environment {
	struct strs all;
	struct arena *a;
	struct str filter;
};
#define VARIABLES_MOST 32 /* of ours */

static void
set(struct environment *e, const char *name, struct str value)
{
	if (value.data)
		e->all.items[e->all.n++] = arena_printf(e->a, "%s=" STR_FMT, name,
			STR_ARG(censored(value, e->filter, e->a)));
}

static struct strs
environment_of(struct recipient *r, const struct context *c, const struct user *as)
{
	const struct envelope *m = &r->d->envelope;
	const struct rcpt *rcpt = &m->rcpts[r->index];
	const struct params *p = &r->d->conf->p;
	struct environment e = { .a = r->d->arena,
		.filter = p->command_expansion_filter };

	e.all = runner_environment(p->export_environment, VARIABLES_MOST, e.a);
	set(&e, "HOME", as->home);
	set(&e, "LOGNAME", c->user);
	set(&e, "USER", c->user);
	set(&e, "SHELL", as->shell);
	set(&e, "SENDER", c->sender);
	set(&e, "RECIPIENT", c->address);
	set(&e, "ORIGINAL_RECIPIENT", c->owned ? STR_NONE : rcpt_original(rcpt));
	set(&e, "LOCAL", c->local);
	set(&e, "DOMAIN", c->domain);
	set(&e, "EXTENSION", c->extension.len ? c->extension : STR_NONE);
	set(&e, "ENVID", m->envid);
	set(&e, "CLIENT_HOSTNAME", m->client_name);
	set(&e, "CLIENT_ADDRESS", m->client_address);
	set(&e, "CLIENT_HELO", m->helo);
	set(&e, "CLIENT_PROTOCOL", m->protocol);
	set(&e, "SASL_METHOD", m->sasl_method);
	set(&e, "SASL_USERNAME", m->sasl_username);
	set(&e, "SASL_SENDER", m->sasl_sender);
	return e.all;
}

void
command_deliver(struct recipient *r, const struct context *c, const struct user *as,
	struct str command)
{
	const struct params *p = &r->d->conf->p;
	struct buf head CLEANUP(buf_free) = BUF_INIT;
	struct command_request ask = { .argv = { &command, 1 },
		.how = COMMAND_TEXT,
		.shell = p->local_command_shell,
		.time_limit = (uint64_t)p->command_time_limit,
		.content = r->d->ask.content,
		.rest = r->d->ask.rest };
	struct why why;
	enum verdict v;

	if (been_here(r, "command " STR_FMT ":%u " STR_FMT, STR_ARG(c->user),
		    (unsigned)as->uid, STR_ARG(command)))
		return;
	if (r->d->ask.probe) {
		recipient_ended(r, c->address, ACCEPT, "2.0.0",
			"delivers to command: " STR_FMT, STR_ARG(command));
		return;
	}
	if (local_expand("command_execution_directory", p->command_execution_directory, c,
		    as, p->execution_directory_expansion_filter, r->d->arena,
		    &ask.directory) < 0) {
		recipient_ended(r, c->address, TEMPFAIL, "4.3.5",
			"mail system configuration error");
		return;
	}
	from_line(c->sender, &head);
	add_headers(r, c, "command", &head);
	ask.headers = buf_str(&head);
	ask.environment = environment_of(r, c, as);
	v = runner_command(as->uid, as->gid, &ask, r->d->rest_fd, r->d->arena, &why);
	if (v == ACCEPT)
		recipient_ended(r, c->address, ACCEPT, "2.0.0",
			"delivered to command: " STR_FMT, STR_ARG(command));
	else
		recipient_ended(r, c->address, v, why.code, "%s", why.text);
}

/* ---- files ---- */

/* Whose Maildir it is: owner, none for that of an alias. */
static enum verdict
find_quota(struct recipient *r, struct str owner, struct mailbox_request *ask,
	struct why *why)
{
	struct str value;

	if (owner.len == 0 || !str_ends(ask->path, STR("/")))
		return ACCEPT;
	switch (maps_find(tables.quota, owner, r->d->arena, &value, why)) {
	case DICT_ERROR:
		return why_set(why, "4.3.0", "table lookup failure");
	case DICT_NOTFOUND:
		return ACCEPT;
	case DICT_FOUND:
		break;
	}
	return writer_quota("local_maildir_quota_maps", value,
		r->d->conf->p.maildir_quota_bounce, ask, why);
}

static enum verdict
write_to(struct recipient *r, const struct context *c, struct str owner, uid_t uid,
	gid_t gid, struct str path, unsigned how, struct why *why)
{
	const struct params *p = &r->d->conf->p;
	struct buf head CLEANUP(buf_free) = BUF_INIT;
	struct mailbox_request ask = { .path = path,
		.sender = c->sender,
		.content = r->d->ask.content,
		.rest = r->d->ask.rest,
		.limit = (uint64_t)p->mailbox_size_limit,
		.locks = p->mailbox_delivery_lock,
		.how = (uint8_t)(how | MAILBOX_GIVES_UP) };

	if (find_quota(r, owner, &ask, why) != ACCEPT)
		return TEMPFAIL;
	add_headers(r, c, "file", &head);
	ask.headers = buf_str(&head);
	return writer_deliver(uid, gid, &ask, r->d->rest_fd, r->d->arena, why);
}

void
file_deliver(struct recipient *r, const struct context *c, const struct user *as,
	struct str path)
{
	struct why why;
	enum verdict v = ACCEPT;
	bool maildir = str_ends(path, STR("/"));

	if (been_here(r, "file %u " STR_FMT, (unsigned)as->uid, STR_ARG(path)))
		return;
	if (r->d->ask.probe) {
		recipient_ended(r, c->address, ACCEPT, "2.0.0", "delivers to %s" STR_FMT,
			maildir ? "maildir" : "file: ",
			STR_ARG(maildir ? STR("") : path));
		return;
	}
	if (!str_is(path, "/dev/null")) /* no locks, no sync, no size */
		v = write_to(
			r, c, c->forwarder, as->uid, as->gid, path, MAILBOX_NAMED, &why);
	if (v == ACCEPT && maildir)
		recipient_ended(r, c->address, v, "2.0.0", "delivered to maildir");
	else if (v == ACCEPT)
		recipient_ended(r, c->address, v, "2.0.0", "delivered to file: " STR_FMT,
			STR_ARG(path));
	else if (maildir)
		recipient_ended(r, c->address, v, why.code, "%s", why.text);
	else
		recipient_ended(r, c->address, v, why.code,
			"cannot append message to file " STR_FMT ": %s", STR_ARG(path),
			why.text);
}

/* Lock files and new mailboxes need the directory's group, where it may write: the usual
 * 2775 root:mail. */
static gid_t
spool_group(const char *directory, gid_t own)
{
	struct stat st;

	if (stat(directory, &st) == 0 && st.st_mode & S_IWGRP && !(st.st_mode & S_IWOTH))
		return st.st_gid;
	return own;
}

void
mailbox_deliver(struct recipient *r, const struct context *c, const struct user *u)
{
	const struct params *p = &r->d->conf->p;
	struct arena *a = r->d->arena;
	struct str spool = p->mail_spool_directory, path;
	unsigned how = p->strict_mailbox_ownership ? MAILBOX_STRICT : 0;
	gid_t gid = u->gid;
	struct why why;
	enum verdict v;

	if (p->home_mailbox.len > 0)
		path = arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(u->home),
			STR_ARG(p->home_mailbox));
	else {
		bool maildir = str_ends(spool, STR("/"));

		path = arena_printf(a, STR_FMT "%s" STR_FMT "%s", STR_ARG(spool),
			maildir ? "" : "/", STR_ARG(u->name), maildir ? "/" : "");
		gid = spool_group(arena_cstr(a, spool), gid);
	}
	explain_step("mailbox", STR_NONE, u->name, "is", path);
	if (r->d->ask.probe) {
		recipient_ended(r, c->address, ACCEPT, "2.0.0",
			str_ends(path, STR("/")) ? "delivers to maildir"
						 : "delivers to mailbox");
		return;
	}
	v = write_to(r, c, u->name, u->uid, gid, path, how, &why);
	if (v == ACCEPT)
		recipient_ended(r, c->address, v, "2.0.0",
			str_ends(path, STR("/")) ? "delivered to maildir"
						 : "delivered to mailbox");
	else if (str_ends(path, STR("/")))
		recipient_ended(r, c->address, v, why.code, "%s", why.text);
	else
		recipient_ended(r, c->address, v, why.code,
			"cannot update mailbox " STR_FMT " for user " STR_FMT ". %s",
			STR_ARG(path), STR_ARG(u->name), why.text);
}
