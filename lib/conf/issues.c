/* issues.c -- mistakes and warnings, gathered so that a reload can look at all of them
 * before it changes anything. */
#include "conf.h"

void
conf_issues_init(struct conf_issues *is)
{
	*is = (struct conf_issues){ .arena = arena_new() };
}

void
conf_issues_free(struct conf_issues *is)
{
	vec_free(&is->list);
	arena_free(is->arena);
	is->arena = NULL;
}

bool
conf_issues_fatal(const struct conf_issues *is)
{
	for (size_t i = 0; i < is->list.n; i++)
		if (is->list.items[i].fatal)
			return true;
	return false;
}

void
conf_issue(struct conf_issues *is, bool fatal, struct str file, int line,
	struct str parameter, const char *remedy, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct conf_issue *i = vec_push(&is->list);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	i->fatal = fatal;
	i->file = arena_str(is->arena, file);
	i->line = line;
	i->parameter = arena_str(is->arena, parameter);
	i->text = arena_str(is->arena, buf_str(&text));
	i->remedy = arena_str(is->arena, str_c(remedy));
}
