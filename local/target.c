/* target.c -- where each item of an alias, a .forward file or a list leads. */
#include "local.h"
#include "explain.h"
#include "log.h"
#include "route.h"
#include "writer.h"
#include <errno.h>
#include <sys/stat.h>

static const char *const sources[] = { "", "alias", "forward", "include" };

static bool
allowed(struct str list, const struct context *c)
{
	return c->source == FROM_MESSAGE || list_has(list, sources[c->source]);
}

/* ---- addresses ---- */

void
forward_to(struct recipient *r, const struct context *c, struct str address)
{
	if (been_here(r, "indirect " STR_FMT, STR_ARG(address)))
		return;
	explain_step("forward", STR_NONE, address, "is sent new mail from", c->sender);
	*vec_push(&r->forward) = (struct forwarded){
		.address = address,
		.sender = c->sender,
		.delivered = c->delivered,
		.owned = c->owned,
	};
}

/* user@domain becomes user+ext@domain, where the extension matched nothing so far. */
static struct str
with_extension(struct recipient *r, const struct context *c, struct str address)
{
	const struct params *p = &r->d->conf->p;
	struct str local, domain, user, extension;

	address_split(address, &local, &domain);
	if (c->unmatched.len == 0 || p->recipient_delimiter.len == 0 ||
		!list_has(p->propagate_unmatched_extensions, sources[c->source]) ||
		address_split_extension(local, p->recipient_delimiter,
			p->owner_request_special, p->double_bounce_sender, &user,
			&extension))
		return address;
	return arena_printf(r->d->arena, STR_FMT "%c" STR_FMT "@" STR_FMT, STR_ARG(local),
		p->recipient_delimiter.data[0], STR_ARG(c->unmatched), STR_ARG(domain));
}

/* "user@domain" in an alias or .forward is that address: there, unlike in a header field,
 * quotes go before anything else is looked at, as with Postfix. */
static struct str
without_quotes(struct str text, struct arena *a)
{
	struct str local, domain;

	address_split(text, &local, &domain);
	return domain.data ? address_unquote(text, a) : address_unquote_local(text, a);
}

static void
address_deliver(struct recipient *r, const struct context *c, struct str text)
{
	struct arena *a = r->d->arena;
	struct str address = with_extension(r, c,
		route_rewrite(local_route, REWRITE_LOCAL, without_quotes(text, a), a));
	struct str local, domain;
	struct why why;

	address_split(address, &local, &domain);
	switch (route_is_local(local_route, domain, &why)) {
	case DICT_FOUND:
		name_deliver(r, c, local, domain);
		break;
	case DICT_NOTFOUND:
		forward_to(r, c, address);
		break;
	case DICT_ERROR:
		recipient_ended(r, address, TEMPFAIL, "4.3.0", "%s", why.text);
		break;
	}
}

/* ---- lists ---- */

/* A list decides as whom its commands run by who owns it, but in a .forward file it is
 * the user who says so; that of root gives nobody's rights. */
static enum verdict
list_rights(struct recipient *r, const struct context *c, uid_t owner,
	const struct user **as, struct why *why)
{
	struct user *found = arena_alloc(r->d->arena, sizeof(*found));

	*as = c->forwarder.len ? c->as : &default_user;
	if (owner == 0 || c->forwarder.len)
		return ACCEPT;
	*as = found;
	if (user_find(r, STR_NONE, owner, found, why) == ACCEPT)
		return ACCEPT;
	return why_set(why, "4.3.5", "cannot find :include: file owner username");
}

static enum verdict
list_read(struct recipient *r, const struct context *c, struct str path,
	struct list_file_reply *said, struct why *why)
{
	const struct user *reader = c->as == &default_user ? &list_reader : c->as;
	struct list_file_request ask = { .paths = { &path, 1 }, .links = true };

	if (!str_starts(path, STR("/")))
		return why_set(why, "5.3.5", ":include:" STR_FMT " uses a relative path",
			STR_ARG(path));
	if (writer_list_read(reader->uid, reader->gid, &ask, r->d->arena, said, why) !=
		ACCEPT)
		return TEMPFAIL;
	if (said->found == 0)
		return why_set(why, "5.3.5",
			"unable to lookup :include: file " STR_FMT ": %s", STR_ARG(path),
			strerror(ENOENT));
	if (!said->regular)
		return why_set(why, "5.3.5",
			":include: file " STR_FMT " is not a regular file",
			STR_ARG(path));
	if (said->error)
		return why_set(why, "4.3.5", "cannot open include file " STR_FMT ": %s",
			STR_ARG(path), strerror((int)said->error));
	if (said->mode & S_IWOTH)
		return why_set(why, "5.3.5",
			":include: file " STR_FMT " is world writable", STR_ARG(path));
	return ACCEPT;
}

static void
include_deliver(struct recipient *r, const struct context *c, struct str path)
{
	struct context inner = *c;
	struct list_file_reply said = { 0 };
	struct items items = { 0 };
	struct why why;
	enum verdict v;

	if (been_here(r, "include %u " STR_FMT, (unsigned)c->as->uid, STR_ARG(path)))
		return;
	/* Whose list it is decides who reads it. */
	if (c->as != &default_user && !explain_may(EXPLAIN_AS_USER)) {
		explain_step("file", STR("include"), path,
			"is not read without --forward", STR_NONE);
		return;
	}
	v = list_read(r, c, path, &said, &why);
	explain_step("file", STR("include"), path, v == ACCEPT ? "is read" : "fails",
		v == ACCEPT ? STR_NONE : str_c(why.text));
	if (v == ACCEPT)
		v = list_rights(r, c, said.uid, &inner.as, &why);
	if (v != ACCEPT) {
		log_warn("%s", why.text);
		recipient_ended(
			r, c->address, v, why.code, "mail system configuration error");
		return;
	}
	inner.source = FROM_INCLUDE;
	inner.listed = c->forwarder.len == 0;
	inner.depth++;
	items_parse_file(said.content, r->d->arena, &items);
	items_deliver(r, &inner, &items);
	items_free(&items);
}

/* ---- each of them ---- */

static void
item_deliver(struct recipient *r, const struct context *c, const struct item *item)
{
	const struct params *p = &r->d->conf->p;

	switch (item->kind) {
	case ITEM_ADDRESS:
		address_deliver(r, c, item->text);
		break;
	case ITEM_COMMAND:
		if (allowed(p->allow_mail_to_commands, c))
			command_deliver(r, c, c->as, item->text);
		else
			recipient_ended(r, c->address, PERMFAIL, "5.7.1",
				"mail to command is restricted");
		break;
	case ITEM_FILE:
		if (allowed(p->allow_mail_to_files, c))
			file_deliver(r, c, c->as, item->text);
		else
			recipient_ended(r, c->address, PERMFAIL, "5.7.1",
				"mail to file is restricted");
		break;
	case ITEM_INCLUDE:
		include_deliver(r, c, item->text);
		break;
	}
}

/* What comes behind a line of a file that must be tried again waits with it. */
void
items_deliver(struct recipient *r, const struct context *c, const struct items *l)
{
	unsigned before = r->deferrals;

	if (c->depth > EXPANSION_MOST) {
		log_warn("alias database loop for " STR_FMT, STR_ARG(c->local));
		recipient_ended(r, c->address, PERMFAIL, "5.4.6",
			"alias database loop for " STR_FMT, STR_ARG(c->local));
		return;
	}
	for (size_t i = 0; i < l->list.n; i++) {
		item_deliver(r, c, &l->list.items[i]);
		if (l->list.items[i].ends_line && r->deferrals != before)
			break;
	}
}
