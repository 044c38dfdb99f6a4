/* alias.c -- aliases(5). */
#include "local.h"
#include "addrlist.h"
#include "log.h"
#include "route.h"

/* One target of an alias: a local name, or an address that belongs elsewhere. */
static void
target_deliver(struct recipient *r, struct str target, int depth)
{
	struct arena *a = r->d->arena;
	struct str address = route_rewrite(local_route, REWRITE_LOCAL, target, a), name,
		   domain;
	struct why why;

	if (map_set(r->seen, arena_lower(a, address), r))
		return;
	address_split(address, &name, &domain);
	switch (route_is_local(local_route, domain, &why)) {
	case DICT_FOUND:
		name_deliver(r, name, address, depth + 1);
		break;
	case DICT_NOTFOUND:
		*vec_push(&r->forward) = address;
		break;
	case DICT_ERROR:
		recipient_ended(r, address, TEMPFAIL, "4.3.0", "%s", why.text);
		break;
	}
}

/* Commands, files and lists of the alias file come with local's next stage; until then
 * mail for them waits. */
static bool
is_special(struct str value)
{
	struct str rest = value, item;

	while (str_token(&rest, ",", &item)) {
		item = str_trim(item);
		if (str_starts(item, STR("\"")))
			item = str_from(item, 1);
		if (str_starts(item, STR("|")) || str_starts(item, STR("/")) ||
			str_case_starts(item, STR(":include:")))
			return true;
	}
	return false;
}

/* Bounces of list mail go to owner-name, if there is such an alias. */
static void
find_owner(struct recipient *r, struct str name)
{
	struct arena *a = r->d->arena;
	struct str key = arena_lower(a, arena_printf(a, "owner-%.*s", STR_ARG(name))),
		   value;
	struct why why;

	if (str_case_starts(name, STR("owner-")) ||
		maps_find(alias_maps, key, a, &value, &why) != DICT_FOUND)
		return;
	r->owner = r->d->conf->p.expand_owner_alias ? value : key;
}

enum verdict
alias_deliver(struct recipient *r, struct str name, struct str extension, int depth)
{
	struct arena *a = r->d->arena;
	struct addr_list targets = { 0 };
	struct str value;
	enum dict_result got = DICT_NOTFOUND;
	struct why why;

	if (extension.len > 0) {
		struct str full = arena_printf(a, "%.*s%c%.*s", STR_ARG(name),
			r->d->conf->p.recipient_delimiter.data[0], STR_ARG(extension));

		got = maps_find(alias_maps, arena_lower(a, full), a, &value, &why);
	}
	if (got == DICT_NOTFOUND)
		got = maps_find(alias_maps, arena_lower(a, name), a, &value, &why);
	if (got == DICT_NOTFOUND)
		return PERMFAIL;
	if (got == DICT_ERROR) {
		log_warn("alias_maps lookup problem for %.*s: %s", STR_ARG(name),
			why.text);
		recipient_ended(r, name, TEMPFAIL, "4.3.0", "alias database unavailable");
		return TEMPFAIL;
	}
	if (is_special(value)) {
		log_warn("alias %.*s: commands, files and :include: are not supported "
			 "yet: "
			 "its mail is deferred",
			STR_ARG(name));
		recipient_ended(r, name, TEMPFAIL, "4.3.5",
			"mail system configuration error: unsupported alias");
		return TEMPFAIL;
	}
	find_owner(r, name);
	addr_list_parse(value, a, &targets);
	for (size_t i = 0; i < targets.list.n; i++)
		target_deliver(r, targets.list.items[i], depth);
	addr_list_free(&targets);
	return ACCEPT;
}
