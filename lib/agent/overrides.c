/* overrides.c -- what main.cf, or -o of its line in master.cf, wants of the mail that a
 * program submits. */
#include "submit.h"

static const struct {
	const char *name;
	uint32_t set, clear;
} overrides[] = {
	{ "no_address_mappings", ENVELOPE_NO_MAPPING, 0 },
	{ "no_header_body_checks", ENVELOPE_NO_CHECKS, 0 },
	{ "no_milters", 0, ENVELOPE_MILTERS },
};

void
submission_overrides(const struct conf *c, struct arena *arena, struct envelope *e)
{
	struct strs options = conf_list(c->p.receive_override_options, arena);
	struct str *attributes;

	for (size_t i = 0; i < options.n; i++)
		for (size_t k = 0; k < COUNT(overrides); k++)
			if (str_case_is(options.items[i], overrides[k].name))
				e->flags = (e->flags | overrides[k].set) &
					   ~overrides[k].clear;
	if (c->p.content_filter.len == 0)
		return;
	attributes = arena_alloc(arena, (e->attributes.n + 1) * sizeof(*attributes));
	if (e->attributes.n > 0)
		memcpy(attributes, e->attributes.items,
			e->attributes.n * sizeof(*attributes));
	attributes[e->attributes.n] = arena_printf(
		arena, ATTRIBUTE_FILTER "%.*s", STR_ARG(c->p.content_filter));
	e->attributes = (struct strs){ attributes, e->attributes.n + 1 };
}
