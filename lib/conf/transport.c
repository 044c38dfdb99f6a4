/* transport.c -- <transport>_something: set for this transport, or what all have.
 *
 * A name of the table (smtp_destination_rate_delay) has its own default there, a
 * transport of the user's the pattern's. Values are checked when master.cf is read, which
 * tells which transports there are; here a bad one counts as not set. */
#include "values.h"
#include "table.h"
#include "typed.h"

static const struct param_info *
pattern_named(const char *suffix)
{
	size_t n;
	const struct param_info *p = conf_patterns(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(p[i].name, suffix) == 0)
			return &p[i];
	ensure(!"a suffix of patterns.def");
	return NULL;
}

static struct str
expanded(const struct conf *c, const char *text, struct arena *a)
{
	struct str value;
	struct why why;

	return conf_expand(c, str_c(text), a, &value, &why) < 0 ? STR("") : value;
}

/* STR_NONE: it has none of its own. */
static struct str
own_text(const struct conf *c, struct str transport, const struct param_info *pattern)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&name, STR_FMT "_%s", STR_ARG(transport), pattern->name);
	return conf_value(c, buf_cstr(&name));
}

static union typed
value_for(const struct conf *c, struct str transport, const char *suffix)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	const struct param_info *pattern = pattern_named(suffix);
	struct str preset = expanded(c, pattern->preset, scratch);
	struct str text = own_text(c, transport, pattern);
	char unit = typed_unit(preset);
	union typed value = { .number = 0 };

	if (!text.data ||
		typed_value(pattern, transport, text, unit, &value, scratch) != NULL)
		ensure(typed_value(pattern, transport, preset, unit, &value, scratch) ==
			NULL);
	return value;
}

int64_t
conf_transport_int(const struct conf *c, struct str transport, const char *suffix)
{
	return value_for(c, transport, suffix).number;
}

msec_t
conf_transport_time(const struct conf *c, struct str transport, const char *suffix)
{
	return value_for(c, transport, suffix).span;
}

struct str
conf_transport_str(const struct conf *c, struct str transport, const char *suffix)
{
	const struct param_info *pattern = pattern_named(suffix);
	struct str text = own_text(c, transport, pattern);

	return text.data ? text : expanded(c, pattern->preset, c->arena);
}
