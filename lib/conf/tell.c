/* tell.c -- mistakes and warnings of the two files in the log: where, what, and the
 * remedy. */
#include "conf.h"
#include "log.h"

/* Postfix's own words for some mistakes name the place. */
void
conf_issue_show(const struct conf_issue *issue, struct buf *out)
{
	if (issue->line > 0 && issue->file.len > 0 &&
		str_find(issue->text, issue->file) < 0)
		buf_printf(out, STR_FMT ", line %d: ", STR_ARG(issue->file), issue->line);
	buf_add(out, issue->text);
	if (issue->remedy.len > 0)
		buf_printf(out, "; " STR_FMT, STR_ARG(issue->remedy));
}

static void
tell(const struct conf_issue *issue)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	conf_issue_show(issue, &text);
	if (issue->fatal)
		log_error("%s", buf_cstr(&text));
	else
		log_warn("%s", buf_cstr(&text));
}

void
conf_issues_log(const struct conf_issues *is)
{
	for (size_t i = 0; i < is->list.n; i++)
		tell(&is->list.items[i]);
}

void
conf_issues_log_fatal(const struct conf_issues *is)
{
	for (size_t i = 0; i < is->list.n; i++)
		if (is->list.items[i].fatal)
			tell(&is->list.items[i]);
}

/* The last mistake of several is what the program ends with. A warning beside a mistake
 * may be its reason ("macro processing error"). */
void
conf_issues_die(const struct conf_issues *is)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	size_t last = is->list.n;

	while (last > 0 && !is->list.items[--last].fatal)
		continue;
	for (size_t i = 0; i < last; i++)
		tell(&is->list.items[i]);
	ensure(last < is->list.n);
	conf_issue_show(&is->list.items[last], &text);
	log_fatal("%s", buf_cstr(&text));
}

struct conf *
conf_must_load(const char *directory, struct str service, const struct strs *overrides)
{
	struct conf_issues issues;
	struct conf *c;

	conf_issues_init(&issues);
	c = conf_load(directory, service, overrides, &issues);
	if (!c)
		conf_issues_die(&issues);
	conf_issues_free(&issues);
	return c;
}
