/* check_domains.c -- a domain has one class: what is in mydestination, say, never gets to
 * the virtual mailboxes. */
#include "check.h"
#include "dict.h"

/* By the order in which they are asked: the first one wins. */
static const char *const classes[] = { "mydestination", "virtual_alias_domains",
	"virtual_mailbox_domains", "relay_domains" };

struct scan {
	struct check *k;
	size_t class; /* whose names these are */
	struct match_list *lists[COUNT(classes)];
	struct map *told;
};

/* relay_domains had mydestination in it before compatibility level 2, to no harm. */
static bool
exclude(size_t a, size_t b)
{
	return a != b && !(a == 0 && b == COUNT(classes) - 1);
}

static void
compare(struct scan *s, struct str name)
{
	struct why why;

	if (name.len == 0 || name.data[0] == '.' || str_chr(name, '@') >= 0)
		return;
	for (size_t b = s->class + 1; b < COUNT(classes); b++) {
		if (!exclude(s->class, b) ||
			match_string(s->lists[b], name, &why) != DICT_FOUND ||
			map_set(s->told, name, s))
			continue;
		check_parameter(s->k, true, classes[b],
			"take it out of one of them: the first is what counts",
			"do not list domain " STR_FMT " in BOTH %s and %s", STR_ARG(name),
			classes[s->class], classes[b]);
	}
}

static bool
compare_key(struct str key, struct str value, void *arg)
{
	(void)value;
	compare(arg, key);
	return true;
}

static void
compare_item(struct scan *s, struct str item, struct arena *a)
{
	struct why why;
	struct dict *d;

	if (item.len == 0 || item.data[0] == '!' || item.data[0] == '/')
		return;
	if (str_chr(item, ':') < 0) {
		compare(s, arena_lower(a, item));
		return;
	}
	d = dict_open(item, DICT_FOLD, s->k->conf, &why);
	if (d)
		dict_each(d, compare_key, s);
	dict_close(d);
}

void
check_domains(struct check *k)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct scan s = { .k = k, .told = map_new() };

	check_quietly(true);
	for (size_t i = 0; i < COUNT(classes); i++)
		s.lists[i] = match_list_open(classes[i], conf_value(k->conf, classes[i]),
			match_parents(k->conf, classes[i]), k->conf);
	for (s.class = 0; s.class < COUNT(classes); s.class ++) {
		struct strs items = conf_list(conf_value(k->conf, classes[s.class]), a);

		for (size_t i = 0; i < items.n; i++)
			compare_item(&s, items.items[i], a);
	}
	for (size_t i = 0; i < COUNT(classes); i++)
		match_list_close(s.lists[i]);
	check_quietly(false);
	map_free(s.told);
}
