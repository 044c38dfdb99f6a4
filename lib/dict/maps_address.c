/* maps_address.c -- the forms under which an address is looked up (contract 5.2). */
#include "maps.h"
#include "mailbox.h"

/* The parts that keys are made of. */
struct parts {
	struct str local, domain; /* domain: data NULL when there is none */
	struct str user;          /* local without its extension */
	struct str extension;
};

/* One look-up: which step it belongs to, and how its key is put together. */
struct form {
	const char *at; /* behind the local part, before the domain */
	unsigned step;
	bool stripped;           /* without the extension: only when there is one */
	bool local, with_domain; /* the parts it has */
};

static const struct form forms[] = {
	{ "@", FIND_FULL, false, true, true },
	{ "@", FIND_FULL, true, true, true },
	{ "", FIND_USER, false, true, false },
	{ "", FIND_USER, true, true, false },
	{ "@", FIND_DOMAIN, false, false, true },
	{ "", FIND_BARE_DOMAIN, false, false, true },
	{ "@", FIND_USER_AT, false, true, false },
	{ "@", FIND_USER_AT, true, true, false },
};

struct search {
	struct maps *maps;
	struct parts parts;
	unsigned steps;
	struct arena *arena;
	struct str *value;
	struct why *why;
};

static bool
form_applies(const struct search *s, const struct form *f)
{
	if (!(f->step & s->steps) || (f->stripped && !s->parts.extension.data))
		return false;
	if (s->parts.domain.data)
		return true;
	/* A name without a domain has its own two forms only. */
	return f->step & (FIND_FULL | FIND_USER_AT);
}

static struct str
form_key(const struct search *s, const struct form *f, struct str local)
{
	bool bare = !s->parts.domain.data && f->step == FIND_FULL;

	return arena_printf(s->arena, STR_FMT "%s" STR_FMT,
		STR_ARG(f->local ? local : STR_NONE), bare ? "" : f->at,
		STR_ARG(f->with_domain ? s->parts.domain : STR_NONE));
}

/* Keys in tables are written as mail is addressed, with quotes where the local part needs
 * them; the bare form is tried next, for many wrote it so. */
static enum dict_result
form_find(const struct search *s, const struct form *f)
{
	struct str local = f->stripped ? s->parts.user : s->parts.local;
	bool whole = f->step == FIND_FULL && !f->stripped;
	enum dict_result got;

	if (f->step == FIND_BARE_DOMAIN)
		return maps_ask_domain(s->maps, s->parts.domain, false,
			s->maps->flags & DICT_PARENT_DOT, s->arena, s->value, s->why);
	if (f->local && !address_is_dot_string(local)) {
		got = maps_ask(s->maps,
			form_key(s, f, address_quote_local(local, s->arena)), whole,
			s->arena, s->value, s->why);
		if (got != DICT_NOTFOUND)
			return got;
		whole = false; /* pattern tables have seen it now */
	}
	return maps_ask(
		s->maps, form_key(s, f, local), whole, s->arena, s->value, s->why);
}

enum dict_result
maps_find_address(struct maps *m, struct str address, struct str delimiters,
	unsigned steps, bool local_domain, struct arena *arena, struct str *value,
	struct str *extension, struct why *why)
{
	struct search s = {
		.maps = m, .steps = steps, .arena = arena, .value = value, .why = why
	};

	*extension = STR_NONE;
	if (m->tables.n == 0 || address.len == 0 || str_chr(address, '\0') >= 0)
		return DICT_NOTFOUND;
	address_split(address, &s.parts.local, &s.parts.domain);
	s.parts.user = s.parts.local;
	address_split_extension(s.parts.local, delimiters, m->owner_request_special,
		m->double_bounce_sender, &s.parts.user, &s.parts.extension);
	if (!local_domain)
		s.steps &= ~(unsigned)FIND_USER;
	for (size_t i = 0; i < COUNT(forms); i++) {
		enum dict_result got;

		if (!form_applies(&s, &forms[i]))
			continue;
		got = form_find(&s, &forms[i]);
		if (got == DICT_FOUND && forms[i].stripped)
			*extension = s.parts.extension;
		if (got != DICT_NOTFOUND)
			return got;
	}
	return DICT_NOTFOUND;
}
