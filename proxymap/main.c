/* proxymap -- asks tables behind a server for everybody else. */
#include "dict.h"
#include "event.h"
#include "log.h"
#include "messages.h"
#include "service.h"

/* Each table has up to four look-ups under way; this many tables may be stuck, each at a
 * server of its own, before others wait. */
enum { THREADS = 64 };

struct table {
	struct str spec;
	bool proxied; /* in proxy_read_maps */
	bool named;   /* without proxy:, somewhere */
	struct dict *dict;
	size_t users;
};

static struct {
	VEC(struct table *) all;
	struct map *by_spec;
	struct arena *arena;
} tables;

/* ---- which there are ---- */

static void
allow_read(const char *directory, void *arg)
{
	(void)arg;
	service_allow_read(directory);
}

static struct table *
table_add(struct str spec, unsigned flags)
{
	struct table *t = map_get(tables.by_spec, spec);
	struct why why = { 0 };

	if (t)
		return t;
	t = arena_alloc(tables.arena, sizeof(*t));
	t->spec = arena_str(tables.arena, spec);
	t->dict = dict_open(spec, flags, service_conf(), &why);
	if (why.code[0])
		log_warn("%s", why.text);
	dict_paths(spec, allow_read, NULL);
	if (t->dict)
		dict_more_paths(t->dict, allow_read, NULL);
	map_set(tables.by_spec, t->spec, t);
	*vec_push(&tables.all) = t;
	return t;
}

static void
is_proxied(struct str spec, bool proxied, void *arg)
{
	(void)arg;
	if (proxied)
		table_add(spec, 0)->proxied = true;
}

static void
is_named(struct str spec, bool proxied, void *arg)
{
	(void)arg;
	if (!proxied)
		table_add(spec, 0)->named = true;
}

/* Whatever their type. With proxy: in front they have to be in proxy_read_maps as well.
 */
static void
read_passwords(struct str text)
{
	struct strs items = conf_list(text, tables.arena);

	for (size_t i = 0; i < items.n; i++) {
		bool proxied = str_starts(items.items[i], STR("proxy:"));
		struct str spec = str_from(items.items[i], proxied ? 6 : 0);
		struct table *t = table_add(spec, DICT_FOLD);

		if (proxied)
			t->proxied = dict_is_approved(spec, service_conf());
		else
			t->named = true;
	}
}

/* The tables in the value of a parameter, those that are ours to read. */
static void
read_value(const char *name, struct str text)
{
	const struct param_info *p = conf_param(str_c(name));

	if (p && p->passwords)
		read_passwords(text);
	else
		dict_each_remote(text, is_named, NULL);
}

/* Every service has settings of its own. */
static void
read_services(const struct conf *c)
{
	struct conf_issues issues;
	struct master_conf *m;
	struct str text;
	struct why why;

	conf_issues_init(&issues);
	m = master_conf_load(arena_cstr(tables.arena, c->directory), c, &issues);
	for (size_t i = 0; m && i < m->services.n; i++) {
		const struct strs *given = &m->services.items[i].overrides;

		for (size_t j = 0; j < given->n; j++) {
			struct str rest = given->items[j], name;

			if (str_split(&rest, '=', &name) &&
				conf_expand(c, rest, tables.arena, &text, &why) == 0)
				read_value(
					arena_cstr(tables.arena, str_trim(name)), text);
		}
	}
	if (m)
		master_conf_free(m);
	conf_issues_free(&issues);
}

static void
open_tables(void)
{
	const struct conf *c = service_conf();
	const struct conf_setting *set;

	tables.arena = arena_new();
	tables.by_spec = map_new();
	dict_each_remote(c->p.proxy_read_maps, is_proxied, NULL);
	for (size_t at = 0; (set = conf_next_setting(c, &at));) {
		const char *name = arena_cstr(tables.arena, set->name);

		read_value(name, conf_value(c, name));
	}
	read_services(c);
	event_offload_threads = THREADS;
}

/* ---- look-ups ---- */

/* A table whose file changed is opened again when nobody is asking it; where the jail
 * forbids that, by the next process. */
static void
renew(struct table *t)
{
	if (t->users == 0 && dict_changed(t->dict) && !dict_reopen(t->dict))
		service_retire("a table has changed");
}

static struct proxy_reply
refuse(const struct proxy_request *ask, struct arena *arena)
{
	log_warn("request for unapproved table: \"" STR_FMT "\"", STR_ARG(ask->table));
	if (ask->proxied)
		log_warn("to approve this table for read-only access, list proxy:" STR_FMT
			 " in main.cf:proxy_read_maps",
			STR_ARG(ask->table));
	return (struct proxy_reply){
		.result = DICT_ERROR,
		.text = arena_printf(
			arena, "unapproved table: " STR_FMT, STR_ARG(ask->table)),
	};
}

SWITCHES static struct proxy_reply
look_up(struct table *t, struct str key, struct arena *arena)
{
	struct proxy_reply say = { .result = DICT_ERROR };
	struct why why = { 0 };

	renew(t);
	t->users++;
	say.result = (uint8_t)dict_lookup(t->dict, key, arena, &say.value, &why);
	t->users--;
	if (say.result == DICT_ERROR)
		say.text = arena_str(arena, str_c(why.text));
	return say;
}

static void
answer(struct ipc_request *rq)
{
	struct proxy_request ask;
	struct proxy_reply say = { .result = DICT_ERROR, .text = STR("bad request") };
	struct table *t;

	service_busy(1);
	if (proxy_request_get(rq->payload, &ask, rq->arena) == 0) {
		t = map_get(tables.by_spec, ask.table);
		if (t && t->dict && (ask.proxied ? t->proxied : t->named))
			say = look_up(t, ask.key, rq->arena);
		else
			say = refuse(&ask, rq->arena);
	}
	proxy_answer(rq, &say);
	service_busy(-1);
}

static const struct ipc_handler handlers[] = {
	{ .type = proxy_TYPE, .run = answer, .stack = CO_STACK_LARGE },
	{ 0 },
};

static const struct service proxymap = {
	.name = "proxymap",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_TABLES | SANDBOX_INTERNET | SANDBOX_CONNECT_LOCAL |
		   SANDBOX_DNS_FILES | SANDBOX_CLIENTS,
	.before_jail = open_tables,
	.handlers = handlers,
};

int
main(int argc, char **argv)
{
	return service_main(&proxymap, argc, argv);
}
