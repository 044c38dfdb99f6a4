/* settings.c -- lists of milters and of macros, as main.cf has them. */
#include "milter.h"
#include "log.h"

static const struct {
	const char *name;
	enum { TEXT, TIME, PROTOCOL } kind;
	size_t at; /* in struct milter_service */
} options[] = {
	{ "default_action", TEXT, offsetof(struct milter_service, default_action) },
	{ "connect_timeout", TIME, offsetof(struct milter_service, connect_timeout) },
	{ "command_timeout", TIME, offsetof(struct milter_service, command_timeout) },
	{ "content_timeout", TIME, offsetof(struct milter_service, content_timeout) },
	{ "protocol", PROTOCOL, offsetof(struct milter_service, version) },
};

/* "6"; what else may stand there with it changed details of older versions. */
static bool
protocol_read(struct str value, uint32_t *version)
{
	uint32_t actions, protocol;
	uint64_t number = 0;
	struct str word;
	bool known = false;

	while (str_token(&value, " \t,", &word))
		if (str_to_u64(word, &number) == 0 && number <= UINT32_MAX &&
			milter_version_masks((uint32_t)number, &actions, &protocol)) {
			*version = (uint32_t)number;
			known = true;
		} else if (!str_is(word, "no_header_reply")) {
			return false;
		}
	return known;
}

static bool
option_set(struct milter_service *s, size_t i, struct str value)
{
	char *at = (char *)s + options[i].at;
	msec_t time;

	switch (options[i].kind) {
	case TEXT:
		memcpy(at, &value, sizeof(value));
		return value.len > 0;
	case TIME:
		if (conf_time(value, 's', &time) < 0 || time < 1000)
			return false;
		memcpy(at, &time, sizeof(time));
		return true;
	case PROTOCOL:
		return protocol_read(value, &s->version);
	}
	return false;
}

static bool
option_read(struct milter_service *s, struct str item, struct arena *arena)
{
	struct str name, value;

	if (!str_assignment(item, &name, &value))
		return false;
	for (size_t i = 0; i < COUNT(options); i++)
		if (str_is(name, options[i].name))
			return option_set(s, i, arena_str(arena, value));
	return false;
}

static bool
action_is_known(struct str action)
{
	static const char *const known[] = { "accept", "reject", "tempfail", "quarantine",
		"shutdown" };

	for (size_t i = 0; i < COUNT(known); i++)
		if (str_case_is(action, known[i]))
			return true;
	return false;
}

static int
service_read(struct milter_service *s, struct str item, const struct conf *conf,
	struct arena *arena, struct why *why)
{
	struct strs words = conf_list(item, arena);

	*s = (struct milter_service){
		.default_action = conf->p.milter_default_action,
		.connect_timeout = conf->p.milter_connect_timeout,
		.command_timeout = conf->p.milter_command_timeout,
		.content_timeout = conf->p.milter_content_timeout,
	};
	if (!protocol_read(conf->p.milter_protocol, &s->version)) {
		why_set(why, "4.3.5", "bad milter_protocol: " STR_FMT,
			STR_ARG(conf->p.milter_protocol));
		return -1;
	}
	s->endpoint = words.n > 0 ? arena_cstr(arena, words.items[0]) : NULL;
	if (!s->endpoint || (!str_starts(words.items[0], STR("inet:")) &&
				    !str_starts(words.items[0], STR("unix:")))) {
		why_set(why, "4.3.5",
			"bad milter \"" STR_FMT "\": need inet:host:port or unix:path",
			STR_ARG(item));
		return -1;
	}
	for (size_t i = 1; i < words.n; i++)
		if (!option_read(s, words.items[i], arena)) {
			why_set(why, "4.3.5", "milter %s: bad attribute \"" STR_FMT "\"",
				s->endpoint, STR_ARG(words.items[i]));
			return -1;
		}
	if (!action_is_known(s->default_action)) {
		why_set(why, "4.3.5",
			"milter %s: unrecognized default action \"" STR_FMT "\"",
			s->endpoint, STR_ARG(s->default_action));
		return -1;
	}
	return 0;
}

int
milter_list_read(struct str value, const struct conf *conf, struct arena *arena,
	struct milter_list *out, struct why *why)
{
	struct strs items = conf_list(value, arena);

	*out = (struct milter_list){ NULL, 0 };
	if (items.n > MILTERS_MOST) {
		why_set(why, "4.3.5", "more than %d milters", MILTERS_MOST);
		return -1;
	}
	out->items = arena_alloc(arena, (items.n + 1) * sizeof(*out->items));
	for (size_t i = 0; i < items.n; i++)
		if (service_read(&out->items[i], items.items[i], conf, arena, why) < 0)
			return -1;
	out->n = items.n;
	return 0;
}

/* ---- macros ---- */

struct str
milter_macro_plain(struct str name)
{
	return name.len > 2 && name.data[0] == '{' && name.data[name.len - 1] == '}'
		       ? str_sub(name, 1, name.len - 2)
		       : name;
}

/* Items as they stand, braces kept: conf_list() takes them for a group. */
static struct strs
names_of(struct str value, struct arena *arena)
{
	struct strs names = { NULL, 0 };
	struct str rest = value, name;

	while (str_token(&rest, " \t\r\n,", &name))
		names.n++;
	names.items = arena_alloc(arena, (names.n + 1) * sizeof(*names.items));
	names.n = 0;
	while (str_token(&value, " \t\r\n,", &name))
		names.items[names.n++] = arena_str(arena, name);
	return names;
}

/* "name=value", or { name = value with blanks }; a name may have braces of its own. */
static void
defaults_read(struct str value, struct arena *arena, struct milter_macros *out)
{
	struct strs items = conf_list(value, arena);
	struct strs *names = &out->default_names, *values = &out->default_values;

	names->items = arena_alloc(arena, (items.n + 1) * sizeof(*names->items));
	values->items = arena_alloc(arena, (items.n + 1) * sizeof(*values->items));
	for (size_t i = 0; i < items.n; i++) {
		struct str item = items.items[i], name;

		if (!str_assignment(item, &name, &values->items[values->n])) {
			log_warn("milter_macro_defaults: \"" STR_FMT
				 "\" is not name=value",
				STR_ARG(item));
			continue;
		}
		names->items[names->n++] = milter_macro_plain(name);
		values->n++;
	}
}

void
milter_macros_read(
	const struct conf *conf, struct arena *arena, struct milter_macros *out)
{
	const struct params *p = &conf->p;
	const struct str lists[MILTER_MACRO_STAGES] = {
		[MILTER_CONNECT] = p->milter_connect_macros,
		[MILTER_HELO] = p->milter_helo_macros,
		[MILTER_MAIL] = p->milter_mail_macros,
		[MILTER_RCPT] = p->milter_rcpt_macros,
		[MILTER_DATA] = p->milter_data_macros,
		[MILTER_EOM] = p->milter_end_of_data_macros,
		[MILTER_EOH] = p->milter_end_of_header_macros,
		[MILTER_UNKNOWN] = p->milter_unknown_command_macros,
	};

	*out = (struct milter_macros){ .default_names = { NULL, 0 } };
	for (size_t i = 0; i < MILTER_MACRO_STAGES; i++)
		out->names[i] = names_of(lists[i], arena);
	defaults_read(p->milter_macro_defaults, arena, out);
}
