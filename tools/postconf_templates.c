/* postconf_templates.c -- templates of notices as they are in effect (bounce(5)), or
 * their text as it will be read. Both can be told from the file in hand before it is
 * used. */
#include "postconf.h"
#include <stdlib.h>
#include "templates.h"

static void
tell_all(const struct conf_issues *issues)
{
	for (size_t i = 0; i < issues->list.n; i++)
		if (issues->list.items[i].fatal)
			postconf_fatal(STR_FMT, STR_ARG(issues->list.items[i].text));
		else
			postconf_warn(STR_FMT, STR_ARG(issues->list.items[i].text));
}

static void
print_header(const char *name, struct str value)
{
	if (value.data)
		printf("%s: " STR_FMT "\n", name, STR_ARG(value));
}

static void
print_template(const struct template *t, const char *name, bool first)
{
	printf("%s%s_template = <<EOF\n", first ? "" : "\n", name);
	print_header("Charset", t->charset);
	print_header("From", t->from);
	print_header("Subject", t->subject);
	print_header("Postmaster-Subject", t->postmaster_subject);
	printf("\n" STR_FMT "EOF\n", STR_ARG(t->text));
}

/* All of them, or none when one cannot be used. */
static void
print_texts(const struct templates *t, const struct conf *c, struct arena *a,
	struct conf_issues *issues)
{
	struct str text[TEMPLATES];

	for (unsigned i = 0; i < TEMPLATES; i++)
		if (templates_expand(t, (enum template_kind)i, c, a, &text[i], issues) <
			0)
			return;
	for (unsigned i = 0; i < TEMPLATES; i++)
		printf("%sexpanded_%s_text = <<EOF\n" STR_FMT "EOF\n", i ? "\n" : "",
			template_names[i], STR_ARG(text[i]));
}

void
print_templates(const struct postconf_options *o)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct conf_issues issues CLEANUP(conf_issues_free);
	struct templates t;
	struct conf *c;
	struct str file;

	conf_issues_init(&issues);
	if (o->arguments.n > 1)
		postconf_fatal("options -b and -t require at most one template file");
	c = conf_load(o->directory, STR_NONE, &o->overrides, &issues);
	if (!c) {
		tell_all(&issues);
		exit(1);
	}
	conf_issues_free(&issues);
	conf_issues_init(&issues);
	file = o->arguments.n ? o->arguments.items[0] : c->p.bounce_template_file;
	if (templates_read(&t, arena_str(a, file).data, a, &issues) == 0) {
		if (o->mode == MODE_NOTICES)
			print_texts(&t, c, a, &issues);
		for (unsigned i = 0; o->mode == MODE_TEMPLATES && i < TEMPLATES; i++)
			print_template(&t.of[i], template_names[i], i == 0);
	}
	tell_all(&issues);
	conf_free(c);
}
