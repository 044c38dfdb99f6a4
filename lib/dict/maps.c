/* maps.c -- an ordered list of tables: the value of alias_maps, transport_maps, ... */
#include "maps.h"
#include "dict_impl.h"
#include "explain.h"
#include "log.h"

static struct maps *all;

/* A table that cannot even be named (unknown type, no name) fails like one that cannot be
 * opened: the parameter is wrong, and mail must wait until it is right. */
static void
add_table(struct maps *m, struct str spec, const struct conf *c)
{
	struct maps_table *t = vec_push(&m->tables);
	struct why why = { 0 };

	t->spec = arena_str(m->arena, spec);
	t->dict = dict_open(spec, m->flags, c, &why);
	if (why.code[0]) {
		log_warn("%s: %s", m->parameter, why.text);
		t->broken = why;
	}
}

struct maps *
maps_open(const char *parameter, struct str value, unsigned flags, const struct conf *c)
{
	struct arena *arena = arena_new();
	struct maps *m = arena_alloc(arena, sizeof *m);
	struct strs items = conf_list(value, arena);

	m->arena = arena;
	m->parameter = arena_str(arena, str_c(parameter)).data;
	m->flags = flags;
	m->owner_request_special = !c || c->p.owner_request_special;
	if (c)
		m->double_bounce_sender = arena_str(arena, c->p.double_bounce_sender);
	for (size_t i = 0; i < items.n; i++)
		add_table(m, items.items[i], c);
	m->next = all;
	all = m;
	return m;
}

void
maps_close(struct maps *m)
{
	struct maps **at = &all;

	if (!m)
		return;
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	for (size_t i = 0; i < m->tables.n; i++)
		dict_close(m->tables.items[i].dict);
	vec_free(&m->tables);
	arena_free(m->arena);
}

bool
maps_empty(const struct maps *m)
{
	return m->tables.n == 0;
}

bool
maps_renew_all(void)
{
	bool well = true;

	for (const struct maps *m = all; m; m = m->next)
		for (size_t i = 0; i < m->tables.n; i++)
			well &= dict_renew_one(m->tables.items[i].dict);
	return well;
}

void
maps_each(struct maps *m, bool (*fn)(struct str key, struct str value, void *arg),
	void *arg)
{
	for (size_t i = 0; i < m->tables.n; i++)
		if (m->tables.items[i].dict)
			(void)dict_each(m->tables.items[i].dict, fn, arg);
}

/* An empty value is a mistake in the table: "not found" has to be said by leaving the key
 * out. */
static enum dict_result
refuse_empty(struct maps *m, const struct maps_table *t, struct str key, struct why *why)
{
	log_warn("%s lookup of " STR_FMT " returns an empty string result", m->parameter,
		STR_ARG(key));
	log_warn("%s should return NO RESULT in case of NOT FOUND", m->parameter);
	why_set(why, "4.3.5", STR_FMT ": the value of \"" STR_FMT "\" is empty",
		STR_ARG(t->spec), STR_ARG(key));
	return DICT_ERROR;
}

static enum dict_result
ask_table(const struct maps *m, const struct maps_table *t, struct str key,
	struct arena *arena, struct str *value, struct why *why)
{
	enum dict_result got = dict_lookup(t->dict, key, arena, value, why);

	if (explain_on)
		dict_explain(m->parameter, t->spec, key, got, value, why);
	return got;
}

static enum dict_result
ask_tables(struct maps *m, struct str key, bool whole, struct arena *arena,
	struct str *value, const struct dict **found, struct why *why)
{
	for (size_t i = 0; i < m->tables.n; i++) {
		struct maps_table *t = &m->tables.items[i];
		enum dict_result got;

		if (!t->dict) {
			*why = t->broken;
			return DICT_ERROR;
		}
		if (!whole && dict_is_pattern(t->dict))
			continue;
		got = ask_table(m, t, key, arena, value, why);
		if (got == DICT_FOUND && value->len == 0)
			return refuse_empty(m, t, key, why);
		*found = t->dict;
		if (got != DICT_NOTFOUND)
			return got;
	}
	return DICT_NOTFOUND;
}

enum dict_result
maps_ask(struct maps *m, struct str key, bool whole, struct arena *arena,
	struct str *value, struct why *why)
{
	const struct dict *found;

	return ask_tables(m, key, whole, arena, value, &found, why);
}

enum dict_result
maps_find(struct maps *m, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	if (key.len == 0)
		return DICT_NOTFOUND;
	return maps_ask(m, key, true, arena, value, why);
}

enum dict_result
maps_find_owned(struct maps *m, struct str key, struct arena *arena, struct str *value,
	uid_t *owner, struct why *why)
{
	const struct dict *found;
	enum dict_result got;

	if (key.len == 0)
		return DICT_NOTFOUND;
	got = ask_tables(m, key, true, arena, value, &found, why);
	if (got == DICT_FOUND)
		*owner = dict_owner(found);
	return got;
}

enum dict_result
maps_ask_domain(struct maps *m, struct str domain, bool whole, bool dot_parents,
	struct arena *arena, struct str *value, struct why *why)
{
	while (domain.len) {
		enum dict_result got = maps_ask(m, domain, whole, arena, value, why);
		ssize_t dot;

		if (got != DICT_NOTFOUND)
			return got;
		/* with dots: a.b.c, .b.c, .c; without: a.b.c, b.c, c */
		dot = str_chr(str_from(domain, 1), '.');
		if (dot < 0)
			break;
		domain = str_from(domain, (size_t)dot + (dot_parents ? 1 : 2));
		whole = false;
	}
	return DICT_NOTFOUND;
}

enum dict_result
maps_find_domain(struct maps *m, struct str domain, bool dot_parents, struct arena *arena,
	struct str *value, struct why *why)
{
	return maps_ask_domain(m, domain, true, dot_parents, arena, value, why);
}
