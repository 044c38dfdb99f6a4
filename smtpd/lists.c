/* lists.c -- reads the restriction lists of main.cf, and opens the tables in them. */
#include "policy_lists.h"
#include "log.h"

static const char *const list_names[LISTS] = {
	[LIST_CLIENT] = "smtpd_client_restrictions",
	[LIST_HELO] = "smtpd_helo_restrictions",
	[LIST_SENDER] = "smtpd_sender_restrictions",
	[LIST_RELAY] = "smtpd_relay_restrictions",
	[LIST_RECIPIENT] = "smtpd_recipient_restrictions",
	[LIST_DATA] = "smtpd_data_restrictions",
	[LIST_END_OF_DATA] = "smtpd_end_of_data_restrictions",
	[LIST_ETRN] = "smtpd_etrn_restrictions",
	[LIST_LOCAL_CLIENTS] = "local_header_rewrite_clients",
};
const enum subject policy_list_subjects[LISTS] = {
	[LIST_CLIENT] = SUBJECT_CLIENT,
	[LIST_HELO] = SUBJECT_HELO,
	[LIST_SENDER] = SUBJECT_SENDER,
	[LIST_RELAY] = SUBJECT_RECIPIENT,
	[LIST_RECIPIENT] = SUBJECT_RECIPIENT,
	[LIST_DATA] = SUBJECT_DATA,
	[LIST_END_OF_DATA] = SUBJECT_END_OF_DATA,
	[LIST_ETRN] = SUBJECT_ETRN,
	[LIST_LOCAL_CLIENTS] = SUBJECT_CLIENT,
};

/* Keys of pattern tables are asked for whole only: contract 5.1. */
static bool
is_pattern_type(struct str spec)
{
	size_t n;
	const struct dict_type *types = dict_type_list(&n);

	if (str_starts(spec, STR("proxy:")))
		spec = str_from(spec, 6);
	for (size_t i = 0; i < n; i++) {
		struct str name = str_c(types[i].name);

		if (str_starts(spec, name) && spec.len > name.len &&
			spec.data[name.len] == ':')
			return types[i].pattern;
	}
	return false;
}

static struct maps *
table_open(struct policy *p, const char *parameter, struct str spec)
{
	struct maps *table = maps_open(parameter, spec, DICT_FOLD, p->conf);

	vec_push(&p->tables)->maps = table;
	return table;
}

static bool
is_table(struct str word)
{
	ssize_t colon = str_chr(word, ':');

	return colon > 0 && (size_t)colon + 1 < word.len && word.data[0] != '[';
}

const struct checks *
class_find(const struct policy *p, struct str name)
{
	for (size_t i = 0; i < p->classes.n; i++)
		if (str_eq(p->classes.items[i].name, name))
			return &p->classes.items[i].checks;
	return NULL;
}

static void
checks_parse(struct policy *p, const char *parameter, struct str value,
	enum subject subject, struct checks *out)
{
	struct strs words = conf_list(value, p->arena);

	for (size_t i = 0; i < words.n; i++) {
		struct check *c = vec_push(&out->items);

		c->name = arena_str(p->arena, words.items[i]);
		c->list = subject;
		c->row = restriction_find(c->name);
		if (c->row && c->row->flags & TAKES_TABLE && i + 1 < words.n)
			c->argument = arena_str(p->arena, words.items[++i]);
		else if (!c->row && (c->nested = class_find(p, c->name)) == NULL &&
			 is_table(c->name)) {
			c->row = restriction_access(subject);
			c->argument = c->name;
		}
		if (!c->row && !c->nested && !str_case_is(c->name, "warn_if_reject"))
			log_warn("%s: unknown smtpd restriction: \"" STR_FMT "\"",
				parameter, STR_ARG(c->name));
		if (c->argument.len && is_table(c->argument)) {
			c->table = table_open(p, parameter, c->argument);
			c->table_is_pattern = is_pattern_type(c->argument);
		}
	}
}

/* All names first: classes may name each other, and an evaluation that goes round in
 * circles ends at NESTING_MOST. */
static void
classes_parse(struct policy *p)
{
	struct strs names = conf_list(p->conf->p.smtpd_restriction_classes, p->arena);

	for (size_t i = 0; i < names.n; i++)
		vec_push(&p->classes)->name = arena_str(p->arena, names.items[i]);
	for (size_t i = 0; i < p->classes.n; i++) {
		struct named_list *class = &p->classes.items[i];
		char *parameter = arena_cstr(p->arena, class->name);

		if (parameter)
			checks_parse(p, parameter, conf_value(p->conf, parameter),
				SUBJECT_RECIPIENT, &class->checks);
	}
}

static bool
controls_relay(const struct checks *list)
{
	for (size_t i = 0; i < list->items.n; i++) {
		const struct check *c = &list->items.items[i];

		if (c->row && c->row->flags & CONTROLS_RELAY)
			return true;
	}
	return false;
}

struct policy *
policy_open(const struct conf *conf)
{
	const struct params *p = &conf->p;
	const struct str values[LISTS] = {
		[LIST_CLIENT] = p->smtpd_client_restrictions,
		[LIST_HELO] = p->smtpd_helo_restrictions,
		[LIST_SENDER] = p->smtpd_sender_restrictions,
		[LIST_RELAY] = p->smtpd_relay_restrictions,
		[LIST_RECIPIENT] = p->smtpd_recipient_restrictions,
		[LIST_DATA] = p->smtpd_data_restrictions,
		[LIST_END_OF_DATA] = p->smtpd_end_of_data_restrictions,
		[LIST_ETRN] = p->smtpd_etrn_restrictions,
		[LIST_LOCAL_CLIENTS] = p->local_header_rewrite_clients,
	};
	struct policy *policy = mem_alloc(sizeof(*policy));

	policy->conf = conf;
	policy->arena = arena_new();
	classes_parse(policy);
	for (size_t i = 0; i < LISTS; i++)
		checks_parse(policy, list_names[i], values[i], policy_list_subjects[i],
			&policy->lists[i]);
	/* Without one of these we would relay for everybody. */
	if (!controls_relay(&policy->lists[LIST_RELAY]) &&
		!controls_relay(&policy->lists[LIST_RECIPIENT]))
		log_fatal("in parameter smtpd_relay_restrictions or "
			  "smtpd_recipient_restrictions, specify at least one working "
			  "instance "
			  "of: reject_unauth_destination, defer_unauth_destination, "
			  "reject, "
			  "defer, defer_if_permit");
	return policy;
}

void
policy_close(struct policy *p)
{
	for (size_t i = 0; i < LISTS; i++)
		vec_free(&p->lists[i].items);
	for (size_t i = 0; i < p->classes.n; i++)
		vec_free(&p->classes.items[i].checks.items);
	vec_free(&p->classes);
	for (size_t i = 0; i < p->tables.n; i++)
		maps_close(p->tables.items[i].maps);
	vec_free(&p->tables);
	arena_free(p->arena);
	mem_free(p);
}

bool
policy_changed(const struct policy *p)
{
	for (size_t i = 0; i < p->tables.n; i++)
		if (maps_changed(p->tables.items[i].maps))
			return true;
	return false;
}

bool
policy_reopen(struct policy *p)
{
	bool ok = true;

	for (size_t i = 0; i < p->tables.n; i++)
		if (maps_changed(p->tables.items[i].maps))
			ok &= maps_reopen(p->tables.items[i].maps);
	return ok;
}
