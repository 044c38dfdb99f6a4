/* pcre.c -- pcre:, Perl's regular expressions. The only file that knows PCRE2.
 *
 * Patterns are compiled by the JIT; where the jail forbids that (a table read again under
 * MDWE) they are interpreted. Both take their working memory from the heap, so that a
 * pattern cannot run a coroutine's stack over. */
#include "config.h"
#if HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rules.h"
#include <pcre2.h>

enum {
	JIT_STACK_LEAST = 32 * 1024,
	JIT_STACK_MOST = 1024 * 1024,
	MATCH_LIMIT = 1000000,
	DEPTH_LIMIT = 250000,
	HEAP_LIMIT_KB = 64 * 1024,
};

struct pattern {
	pcre2_code *code;
	pcre2_match_data *found;
};

/* One for each thread; lives as long as it does. */
static pcre2_match_context *
match_context(void)
{
	static __thread pcre2_match_context *context;

	if (!context) {
		pcre2_jit_stack *stack =
			pcre2_jit_stack_create(JIT_STACK_LEAST, JIT_STACK_MOST, NULL);

		context = pcre2_match_context_create(NULL);
		ensure(context);
		pcre2_jit_stack_assign(context, NULL, stack);
		pcre2_set_match_limit(context, MATCH_LIMIT);
		pcre2_set_depth_limit(context, DEPTH_LIMIT);
		pcre2_set_heap_limit(context, HEAP_LIMIT_KB);
	}
	return context;
}

static const struct {
	char flag;
	uint32_t option;
} toggles[] = {
	{ 'i', PCRE2_CASELESS }, { 'm', PCRE2_MULTILINE }, { 's', PCRE2_DOTALL },
	{ 'x', PCRE2_EXTENDED }, { 'A', PCRE2_ANCHORED }, { 'E', PCRE2_DOLLAR_ENDONLY },
	{ 'U', PCRE2_UNGREEDY },
	{ 'X', 0 }, /* PCRE_EXTRA: PCRE2 is always as strict as that */
};

static bool
toggle(struct str flags, uint32_t *options, struct why *why)
{
	for (size_t i = 0; i < flags.len; i++) {
		size_t k = 0;

		while (k < COUNT(toggles) && toggles[k].flag != flags.data[i])
			k++;
		if (k == COUNT(toggles)) {
			rule_skipped(why, "unknown regexp option \"%c\"", flags.data[i]);
			return false;
		}
		*options ^= toggles[k].option;
	}
	return true;
}

static void
pcre_free(void *state)
{
	struct pattern *p = state;

	pcre2_match_data_free(p->found);
	pcre2_code_free(p->code);
	mem_free(p);
}

static struct pattern *
compiled(struct str text, uint32_t options, struct why *why)
{
	struct pattern *p = mem_alloc(sizeof *p);
	PCRE2_SIZE offset;
	int error;

	p->code = pcre2_compile(
		(PCRE2_SPTR)text.data, text.len, options, &error, &offset, NULL);
	if (p->code) {
		pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
		p->found = pcre2_match_data_create_from_pattern(p->code, NULL);
		ensure(p->found);
		return p;
	}
	pcre_free(p);
	{
		PCRE2_UCHAR said[200] = "";

		pcre2_get_error_message(error, said, sizeof said);
		rule_skipped(why, "error in regex at offset %zu: %s", (size_t)offset,
			(char *)said);
	}
	return NULL;
}

static void *
pcre_compile(struct str *rest, bool is_if UNUSED, const struct dict *d, size_t *groups,
	struct why *why)
{
	uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL, n = 0;
	struct str text, flags;
	struct pattern *p;

	if (!rules_delimited(rest, &text, &flags, why) || !toggle(flags, &options, why))
		return NULL;
	/* What is not UTF-8 still has its ASCII parts matched. */
	if (d->conf && d->conf->p.smtputf8_enable && !(d->flags & DICT_BYTES))
		options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
	p = compiled(text, options, why);
	if (p)
		pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &n);
	*groups = n;
	return p;
}

static int
pcre_failed(int error, struct why *why)
{
	PCRE2_UCHAR said[200] = "";

	if (error == PCRE2_ERROR_NOMATCH)
		return 0;
	pcre2_get_error_message(error, said, sizeof said);
	why_set(why, "4.3.0", "%s: simplify the pattern", (char *)said);
	return -1;
}

static int
pcre_match(const void *state, struct subject *s, struct why *why)
{
	const struct pattern *p = state;
	const char *key = s->key.data ? s->key.data : "";
	int got = pcre2_match(
		p->code, (PCRE2_SPTR)key, s->key.len, 0, 0, p->found, match_context());
	PCRE2_SIZE *at;

	if (got < 0)
		return pcre_failed(got, why);
	at = pcre2_get_ovector_pointer(p->found);
	s->n = MIN((size_t)got, (size_t)GROUPS);
	for (size_t i = 1; i < s->n; i++)
		s->groups[i] =
			at[2 * i] == PCRE2_UNSET
				? STR_NONE
				: str_sub(s->key, at[2 * i], at[2 * i + 1] - at[2 * i]);
	return 1;
}

static const struct rule_syntax syntax = {
	.type = "pcre",
	.substitutes = true,
	.compile = pcre_compile,
	.free = pcre_free,
	.match = pcre_match,
};

static void *
pcre_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	return rules_open(d, &syntax, stamp, why);
}

const struct dict_ops dict_pcre = {
	.type = { "pcre", true, false },
	.suffix = "",
	.open = pcre_open,
	.close = rules_close,
	.find = rules_find,
};
#endif
