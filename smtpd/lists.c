/* lists.c -- reads the restriction lists of main.cf, and opens the tables in them. */
#include "policy_lists.h"
#include "log.h"

#define TAKES_ARGUMENT (TAKES_TABLE | TAKES_LIST | TAKES_NUMBER | TAKES_SERVICE)
#define SLEEP_MOST     (24 * 3600)

const char *const policy_list_names[LISTS] = {
	[LIST_CLIENT] = "smtpd_client_restrictions",
	[LIST_HELO] = "smtpd_helo_restrictions",
	[LIST_SENDER] = "smtpd_sender_restrictions",
	[LIST_RELAY] = "smtpd_relay_restrictions",
	[LIST_RECIPIENT] = "smtpd_recipient_restrictions",
	[LIST_DATA] = "smtpd_data_restrictions",
	[LIST_END_OF_DATA] = "smtpd_end_of_data_restrictions",
	[LIST_ETRN] = "smtpd_etrn_restrictions",
	[LIST_LOCAL_CLIENTS] = "local_header_rewrite_clients",
	[LIST_SIGNED_CLIENTS] = "dkim_sign_clients",
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
	[LIST_SIGNED_CLIENTS] = SUBJECT_CLIENT,
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
	bool dot_parents = !match_parents(p->conf, "smtpd_access_maps");
	struct maps *table = maps_open(parameter, spec,
		DICT_FOLD | (dot_parents ? DICT_PARENT_DOT : 0), p->conf);

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

static struct policy_service *
service_open(struct policy *p, struct str spec, struct why *why)
{
	struct named_service *named;

	for (size_t i = 0; i < p->services.n; i++)
		if (str_eq(p->services.items[i].spec, spec))
			return p->services.items[i].service;
	named = vec_push(&p->services);
	named->spec = spec;
	named->service = policy_service_open(spec, p->conf, p->arena, why);
	return named->service;
}

/* "type:name", or "type:name, { search_order = pubkey_fingerprint, cert_fingerprint }".
 */
static void
read_order(struct policy *p, const char *parameter, struct check *c)
{
	struct strs items = conf_list(c->argument, p->arena), words = { NULL, 0 };

	c->prints[0] = CCERT_CERTIFICATE;
	c->prints[1] = CCERT_KEY;
	c->n_prints = 2;
	if (items.n < 2)
		return;
	c->argument = items.items[0];
	for (size_t i = 1; i < items.n; i++) {
		struct str rest = items.items[i], name;

		if (str_chr(rest, '=') >= 0 && str_split(&rest, '=', &name) &&
			str_is(str_trim(name), "search_order"))
			words = conf_list(rest, p->arena);
		else
			log_warn("%s: check_ccert_access: unknown attribute \"" STR_FMT
				 "\"",
				parameter, STR_ARG(items.items[i]));
	}
	c->n_prints = 0;
	for (size_t i = 0; i < words.n && i < COUNT(c->prints); i++) {
		if (str_case_is(words.items[i], "cert_fingerprint"))
			c->prints[c->n_prints++] = CCERT_CERTIFICATE;
		else if (str_case_is(words.items[i], "pubkey_fingerprint"))
			c->prints[c->n_prints++] = CCERT_KEY;
		else
			log_warn("%s: check_ccert_access: unknown search_order \"" STR_FMT
				 "\"",
				parameter, STR_ARG(words.items[i]));
	}
}

/* What the row wants for an argument. What is missing, or wrong, is left empty in the
 * check, which refuses when it is asked. */
static void
argument_read(struct policy *p, const char *parameter, struct check *c)
{
	unsigned flags = c->row->flags;
	uint64_t number;
	struct why why = { "", "" };

	if (flags & TAKES_ORDER)
		read_order(p, parameter, c);
	if (flags & TAKES_TABLE && is_table(c->argument) && !p->opened) {
		c->table = table_open(p, parameter, c->argument);
		c->table_is_pattern = is_pattern_type(c->argument);
	}
	if (flags & TAKES_LIST && dnslist_parse(c->argument, &c->list, &why) < 0)
		c->list.domain = STR_NONE;
	if (flags & TAKES_SERVICE && !p->opened)
		c->service = service_open(p, c->argument, &why);
	if (flags & TAKES_NUMBER && str_to_u64(c->argument, &number) == 0 &&
		number <= SLEEP_MOST)
		c->number = (int)number;
	if (why.text[0])
		log_warn("%s: %s", parameter, why.text);
}

void
check_read(struct policy *p, const char *parameter, const struct strs *words, size_t *at,
	struct arena *arena, struct check *c)
{
	c->name = arena_str(arena, words->items[*at]);
	c->number = -1;
	c->row = restriction_find(c->name);
	if (!c->row)
		c->nested = class_find(p, c->name);
	if (!c->row && !c->nested && is_table(c->name)) {
		/* Of clients whose headers are ours, all that counts is their address. */
		c->row =
			str_is(str_c(parameter), policy_list_names[LIST_LOCAL_CLIENTS]) ||
					str_is(str_c(parameter),
						policy_list_names[LIST_SIGNED_CLIENTS])
				? restriction_find(STR("check_address_map"))
				: &restriction_bare_table;
		c->argument = c->name;
	} else if (c->row && c->row->flags & TAKES_ARGUMENT && *at + 1 < words->n) {
		c->argument = arena_str(arena, words->items[++*at]);
	}
	if (c->row && c->row->flags & TAKES_ARGUMENT)
		argument_read(p, parameter, c);
	if (!c->row && !c->nested)
		log_warn("%s: unknown smtpd restriction: \"" STR_FMT "\"", parameter,
			STR_ARG(c->name));
}

static void
checks_parse(
	struct policy *p, const char *parameter, struct str value, struct checks *out)
{
	struct strs words = conf_list(value, p->arena);

	for (size_t i = 0; i < words.n; i++)
		check_read(p, parameter, &words, &i, p->arena, vec_push(&out->items));
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
				&class->checks);
	}
}

static bool
controls_relay(const struct checks *list)
{
	for (size_t i = 0; i < list->items.n; i++) {
		const struct check *c = &list->items.items[i];

		if (c->row && c->row->flags & WARNS)
			i++; /* what is behind it refuses nothing */
		else if (c->row && c->row->flags & CONTROLS_RELAY)
			return true;
		if (str_case_is(c->name, "permit")) /* nothing behind it is asked */
			return false;
	}
	return false;
}

/* What to do where it cannot be found out whether to refuse. */
static void
check_uncertain_actions(const struct params *p)
{
	const struct {
		const char *name;
		struct str value;
	} actions[] = {
		{ "reject_tempfail_action", p->reject_tempfail_action },
		{ "unknown_address_tempfail_action", p->unknown_address_tempfail_action },
		{ "unknown_helo_hostname_tempfail_action",
			p->unknown_helo_hostname_tempfail_action },
		{ "unverified_recipient_tempfail_action",
			p->unverified_recipient_tempfail_action },
		{ "unverified_sender_tempfail_action",
			p->unverified_sender_tempfail_action },
	};

	for (size_t i = 0; i < COUNT(actions); i++)
		if (!str_case_is(actions[i].value, "defer") &&
			!str_case_is(actions[i].value, "defer_if_permit"))
			log_fatal("bad configuration: %s = " STR_FMT
				  ": specify defer_if_permit or defer",
				actions[i].name, STR_ARG(actions[i].value));
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
		[LIST_SIGNED_CLIENTS] = p->dkim_sign_clients,
	};
	struct policy *policy = mem_alloc(sizeof(*policy));

	policy->conf = conf;
	policy->arena = arena_new();
	check_uncertain_actions(p);
	classes_parse(policy);
	for (size_t i = 0; i < LISTS; i++)
		checks_parse(policy, policy_list_names[i], values[i], &policy->lists[i]);
	policy->opened = true;
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
	for (size_t i = 0; i < p->services.n; i++)
		if (p->services.items[i].service)
			policy_service_close(p->services.items[i].service);
	vec_free(&p->services);
	arena_free(p->arena);
	mem_free(p);
}
