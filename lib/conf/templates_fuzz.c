/* templates_fuzz.c -- a bounce_template_file of any kind: its templates can be used, or
 * are refused. */
#include "templates.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf *
settings(void)
{
	static struct conf *c;
	static struct conf_issues issues;

	if (c)
		return c;
	conf_issues_init(&issues);
	c = conf_open(NULL, STR("fuzz"), NULL, &issues);
	ensure(c);
	c->p.smtputf8_enable = true;
	c->p.myhostname = STR("mx.xn--bcher-kva.example");
	c->p.maximal_queue_lifetime = (msec_t)432000 * 1000;
	return c;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_issues issues CLEANUP(conf_issues_free);
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct templates t;

	conf_issues_init(&issues);
	(void)!templates_parse(&t, STR("fuzz"), str_of(data, size), a, &issues);
	for (unsigned i = 0; i < TEMPLATES; i++) {
		struct str text = STR_NONE;

		ensure(t.of[i].text.len > 0 && t.of[i].subject.len > 0);
		if (templates_expand(&t, (enum template_kind)i, settings(), a, &text,
			    &issues) == 0)
			ensure(text.len > 0 && text.data[text.len - 1] == '\n');
		else
			ensure(conf_issues_fatal(&issues));
	}
	return 0;
}
