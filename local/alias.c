/* alias.c -- aliases(5): look-up, rights, and who hears of failures. */
#include "local.h"
#include "explain.h"
#include "log.h"
#include "route.h"

/* Mail of a list comes from its owner, if there is an alias owner-NAME: failures are his.
 * A list within a list without an owner of its own keeps that of the outer one; with
 * reset_owner_alias its members are delivered to here. False: the table failed. */
static bool
find_owner(struct recipient *r, struct str name, struct context *c, struct why *why)
{
	const struct params *p = &r->d->conf->p;
	struct arena *a = r->d->arena;
	struct str key = arena_printf(a, "owner-" STR_FMT, STR_ARG(name)), value;
	enum dict_result found = DICT_NOTFOUND;

	if (str_case_starts(name, STR("owner-")))
		return true;
	if (p->owner_request_special)
		found = maps_find(tables.alias, key, a, &value, why);
	switch (found) {
	case DICT_ERROR:
		return false;
	case DICT_FOUND:
		c->sender = route_rewrite(local_route, REWRITE_LOCAL,
			p->expand_owner_alias ? str_trim(value) : key, a);
		c->owned = c->apart = true;
		break;
	case DICT_NOTFOUND:
		if (p->reset_owner_alias)
			c->apart = false;
		break;
	}
	return true;
}

/* Commands and files of an alias have the rights of whoever owns the table; those of
 * root's tables have default_privs. */
static enum verdict
find_rights(struct recipient *r, uid_t owner, const struct user **as, struct why *why)
{
	struct user *found = arena_alloc(r->d->arena, sizeof(*found));

	*as = &default_user;
	if (owner == 0)
		return ACCEPT;
	*as = found;
	if (user_find(r, STR_NONE, owner, found, why) == ACCEPT)
		return ACCEPT;
	return why_set(why, "4.3.0", "cannot find alias database owner");
}

static enum dict_result
look_up(struct recipient *r, const struct context *c, struct str *name, struct str *value,
	uid_t *owner, struct why *why)
{
	struct arena *a = r->d->arena;
	enum dict_result got = DICT_NOTFOUND;

	*name = c->local;
	/* Within itself name+ext may still be the alias name. */
	if (c->extension.len == 0 || !str_case_eq(c->local, c->expanding))
		got = maps_find_owned(tables.alias, c->local, a, value, owner, why);
	if (got == DICT_NOTFOUND && c->extension.len > 0) {
		*name = c->user;
		got = maps_find_owned(tables.alias, c->user, a, value, owner, why);
	}
	return got;
}

enum verdict
alias_deliver(struct recipient *r, const struct context *c)
{
	struct context inner = *c;
	struct items items = { 0 };
	struct str name, value;
	struct why why;
	uid_t owner = 0;
	size_t step;

	switch (look_up(r, c, &name, &value, &owner, &why)) {
	case DICT_NOTFOUND:
		return PERMFAIL;
	case DICT_ERROR:
		goto failed;
	case DICT_FOUND:
		break;
	}
	if (str_case_eq(name, c->expanding))
		return PERMFAIL; /* an alias within itself: the user of that name */
	if (find_rights(r, owner, &inner.as, &why) != ACCEPT ||
		!find_owner(r, name, &inner, &why))
		goto failed;
	if (r->expansion == NOT_EXPANDED)
		r->expansion = inner.owned ? EXPANDED_LIST : EXPANDED;
	context_reached(r, &inner);
	inner.source = FROM_ALIAS;
	inner.expanding = name;
	inner.forwarder = STR_NONE;
	inner.unmatched = name.len == c->local.len ? STR_NONE : c->extension;
	inner.depth++;
	step = explain_open("alias", STR("alias_maps"), name);
	items_parse(value, r->d->arena, &items);
	if (items.list.n == 0) {
		log_warn("no recipient in alias lookup result for " STR_FMT,
			STR_ARG(name));
		recipient_ended(r, c->address, TEMPFAIL, "4.3.5",
			"mail system configuration error");
	}
	r->of_owner = inner.owned;
	items_deliver(r, &inner, &items);
	r->of_owner = c->owned;
	explain_close(step, "becomes", value);
	items_free(&items);
	return ACCEPT;
failed:
	log_warn(
		"alias_maps lookup problem for " STR_FMT ": %s", STR_ARG(name), why.text);
	recipient_ended(r, c->address, TEMPFAIL, "4.3.0", "alias database unavailable");
	return TEMPFAIL;
}
