/* words.c -- see words.h. */
#include "words.h"
#include "log.h"

static struct {
	struct templates file, built_in;
} words;

static void
log_issues(const struct conf_issues *issues)
{
	for (size_t i = 0; i < issues->list.n; i++)
		log_warn("bounce_template_file: " STR_FMT "%s",
			STR_ARG(issues->list.items[i].text),
			issues->list.items[i].fatal ? "; using the built-in text" : "");
}

void
words_read(const struct conf *c)
{
	struct conf_issues issues CLEANUP(conf_issues_free);
	struct str path = c->p.bounce_template_file;

	conf_issues_init(&issues);
	ensure(templates_read(&words.built_in, NULL, c->arena, &issues) == 0);
	/* -1: they are the built-in ones. */
	(void)!templates_read(&words.file, arena_cstr(c->arena, path), c->arena, &issues);
	log_issues(&issues);
}

struct words
words_for(enum template_kind kind, const struct conf *c, struct arena *a)
{
	struct conf_issues issues CLEANUP(conf_issues_free);
	const struct templates *from = &words.file;
	struct words out;

	conf_issues_init(&issues);
	if (templates_expand(from, kind, c, a, &out.text, &issues) < 0) {
		from = &words.built_in;
		ensure(templates_expand(from, kind, c, a, &out.text, &issues) == 0);
	}
	log_issues(&issues);
	out.template = &from->of[kind];
	return out;
}
