/* instances.c -- see instances.h. */
#include "instances.h"
#include "log.h"

void
instance_load(struct instances *all, struct one_instance *i)
{
	struct conf_issues issues;
	struct conf *c;

	conf_issues_init(&issues);
	c = conf_load(arena_cstr(all->arena, i->config), STR_NONE, NULL, &issues);
	if (!c)
		conf_issues_die(&issues);
	i->queue = arena_str(all->arena, c->p.queue_directory);
	i->data = arena_str(all->arena, c->p.data_directory);
	i->name = arena_str(all->arena, c->p.multi_instance_name);
	i->group = arena_str(all->arena, c->p.multi_instance_group);
	i->enabled = c->p.multi_instance_enable;
	conf_free(c);
	conf_issues_free(&issues);
}

/* ---- what may not be shared ---- */

/* A name or a place that somebody has. */
struct claim {
	const char *parameter;
	struct str value;
};
enum { CLAIMS = 4 };

static void
claims_of(const struct one_instance *i, struct claim out[CLAIMS])
{
	out[0] = (struct claim){ "multi_instance_name", i->name };
	out[1] = (struct claim){ "config_directory", i->config };
	out[2] = (struct claim){ "queue_directory", i->queue };
	out[3] = (struct claim){ "data_directory", i->data };
}

static void
check_claim(const struct one_instance *i, const struct claim *mine, struct str owner,
	const struct claim *theirs)
{
	if (mine->value.len > 0 && str_eq(mine->value, theirs->value))
		log_fatal("instance " STR_FMT ", %s=" STR_FMT
			  " conflicts with instance " STR_FMT ", %s=" STR_FMT,
			STR_ARG(i->config), mine->parameter, STR_ARG(mine->value),
			STR_ARG(owner), theirs->parameter, STR_ARG(theirs->value));
}

static void
check_against(const struct one_instance *i, const struct claim mine[CLAIMS],
	struct str owner, const struct claim *theirs, size_t n)
{
	for (size_t k = 0; k < CLAIMS; k++)
		for (size_t j = 0; j < n; j++)
			check_claim(i, &mine[k], owner, &theirs[j]);
}

void
instance_check_free(const struct instances *all, const struct one_instance *i)
{
	const struct params *p = &all->conf->p;
	const struct claim shared[] = { { "command_directory", p->command_directory },
		{ "daemon_directory", p->daemon_directory } };
	struct claim mine[CLAIMS], theirs[CLAIMS];

	claims_of(i, mine);
	check_against(i, mine, all->conf->directory, shared, COUNT(shared));
	for (size_t k = 0; k < CLAIMS; k++)
		for (size_t j = 0; j < k; j++)
			check_claim(i, &mine[k], i->config, &mine[j]);
	for (size_t n = 0; n < all->list.n; n++) {
		const struct one_instance *other = &all->list.items[n];

		if (other == i || str_eq(other->config, i->config))
			continue;
		claims_of(other, theirs);
		check_against(i, mine, other->config, theirs, CLAIMS);
	}
}

/* ---- all ---- */

static bool
is_listed(const struct instances *all, struct str directory)
{
	for (size_t i = 0; i < all->list.n; i++)
		if (str_eq(all->list.items[i].config, directory))
			return true;
	return false;
}

void
instances_load(struct instances *all, struct conf *primary)
{
	const struct params *p = &primary->p;
	struct strs others;

	*all = (struct instances){ .conf = primary, .arena = arena_new() };
	others = conf_list(p->multi_instance_directories, all->arena);
	/* Where there is but one, nobody asks whether it is enabled. */
	*vec_push(&all->list) = (struct one_instance){ .config = primary->directory,
		.queue = p->queue_directory,
		.data = p->data_directory,
		.name = p->multi_instance_name,
		.group = p->multi_instance_group,
		.enabled = p->multi_instance_enable || others.n == 0,
		.primary = true };
	for (size_t i = 0; i < others.n; i++) {
		struct one_instance one = { .config = others.items[i] };

		if (is_listed(all, one.config))
			log_fatal("multi_instance_directories: " STR_FMT
				  " stands there twice, or is the primary instance",
				STR_ARG(one.config));
		instance_load(all, &one);
		instance_check_free(all, &one);
		*vec_push(&all->list) = one;
	}
}

/* ---- by name ---- */

static bool
has_name(const struct one_instance *i, struct str word)
{
	struct str prefix = STR(INSTANCE_PREFIX);

	if (i->primary && str_is(word, "-"))
		return true;
	if (str_starts(word, STR("/")) || i->name.len == 0)
		return str_eq(word, i->config);
	if (!str_starts(word, prefix) && str_starts(i->name, prefix))
		return str_eq(word, str_from(i->name, prefix.len));
	return str_eq(word, i->name);
}

bool
instance_is_selected(const struct one_instance *i, const struct selection *by)
{
	switch (by->by) {
	case SELECT_NOTHING:
		return false;
	case SELECT_ALL:
		return true;
	case SELECT_NAME:
		return has_name(i, by->word);
	case SELECT_GROUP:
		return i->group.len > 0 && str_eq(i->group, by->word);
	}
	return false;
}
