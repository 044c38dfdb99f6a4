/* sasl.c -- see sasl.h: what all types of back ends share. */
#include "config.h"
#include "sasl_impl.h"

static const struct sasl_type *const types[] = {
#ifdef HAVE_SASL
	&sasl_cyrus,
#endif
	&sasl_dovecot,
};

struct sasl {
	const struct sasl_type *type;
	void *own;
};
struct sasl_exchange {
	const struct sasl_type *type;
	void *own; /* NULL: it is over */
	struct arena *arena;
};

const char *
sasl_type(size_t i)
{
	return i < COUNT(types) ? types[i]->name : NULL;
}

/* ---- mechanisms ---- */

enum verdict
sasl_options_parse(struct str words, struct sasl_options *out, struct why *why)
{
	static const struct {
		const char *word;
		unsigned forbidden, required;
	} known[] = {
		{ "noplaintext", SASL_PLAINTEXT, 0 },
		{ "noactive", SASL_ACTIVE, 0 },
		{ "nodictionary", SASL_DICTIONARY, 0 },
		{ "noanonymous", SASL_ANONYMOUS, 0 },
		{ "mutual_auth", 0, SASL_MUTUAL },
		{ "forward_secrecy", 0, SASL_FORWARD },
	};
	struct str word;

	*out = (struct sasl_options){ .forbidden = SASL_NOT_OFFERED };
	while (str_token(&words, ", \t\r\n", &word)) {
		size_t i = 0;

		while (i < COUNT(known) && !str_case_is(word, known[i].word))
			i++;
		if (i == COUNT(known))
			return why_set(why, "5.3.5",
				"unknown SASL security option \"" STR_FMT "\"",
				STR_ARG(word));
		out->forbidden |= known[i].forbidden;
		out->required |= known[i].required;
	}
	return ACCEPT;
}

bool
sasl_mechanism_is_good(const struct sasl_mechanism *m, const struct sasl_options *options)
{
	return !(m->properties & options->forbidden) &&
	       (m->properties & options->required) == options->required;
}

bool
sasl_is_base64(struct str text)
{
	size_t n = text.len;

	while (n > 0 && text.len - n < 2 && text.data[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		if (!ascii_is_alnum(text.data[i]) && text.data[i] != '+' &&
			text.data[i] != '/')
			return false;
	return text.len % 4 == 0;
}

/* ---- back ends ---- */

struct sasl *
sasl_open(const struct sasl_config *config, struct why *why)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		struct sasl *s;

		if (!str_is(config->type, types[i]->name))
			continue;
		s = mem_alloc(sizeof(*s));
		s->type = types[i];
		s->own = types[i]->open(config);
		return s;
	}
	why_set(why, "4.3.5", "unsupported SASL server implementation: " STR_FMT,
		STR_ARG(config->type));
	return NULL;
}

void
sasl_close(struct sasl *s)
{
	if (!s)
		return;
	s->type->close(s->own);
	mem_free(s);
}

SWITCHES bool
sasl_mechanisms(struct sasl *s, const struct sasl_client *client, struct arena *arena,
	struct strs *out)
{
	return s->type->mechanisms(s->own, client, arena, out);
}

/* ---- exchanges ---- */

void
sasl_answer_set(struct sasl_answer *answer, enum sasl_status status, struct str text)
{
	*answer = (struct sasl_answer){ .status = status, .text = text };
}

SWITCHES struct sasl_exchange *
sasl_begin(struct sasl *s, const struct sasl_client *client, struct str mechanism,
	struct str initial, struct sasl_answer *answer)
{
	struct sasl_exchange *x = mem_alloc(sizeof(*x));

	x->type = s->type;
	x->arena = arena_new();
	/* RFC 4954 section 4: "=" is a response of no octets. */
	if (str_is(initial, "="))
		initial = STR("");
	if (sasl_is_base64(initial))
		x->own = s->type->begin(
			s->own, client, mechanism, initial, x->arena, answer);
	else
		sasl_answer_set(answer, SASL_REFUSED,
			STR("Invalid base64 data in initial response"));
	return x;
}

SWITCHES void
sasl_continue(struct sasl_exchange *x, struct str response, struct sasl_answer *answer)
{
	ensure(x->own);
	if (sasl_is_base64(response))
		x->type->go_on(x->own, response, x->arena, answer);
	else
		sasl_answer_set(answer, SASL_REFUSED,
			STR("Invalid base64 data in continued response"));
}

void
sasl_end(struct sasl_exchange *x)
{
	if (x->own)
		x->type->end(x->own);
	arena_free(x->arena);
	mem_free(x);
}
