/* check.c -- settings that do not do what their author may hope. */
#include "conf.h"

static void
warn_unhonoured(const struct conf_setting *s, struct conf_issues *issues)
{
	const struct param_info *p = s->param;

	/* What it would be anyway needs no support. */
	if (p->honoured || (p->preset && str_is(s->text, p->preset)))
		return;
	if (p->tier == 4)
		conf_issue(issues, false, s->file, s->line, s->name, "remove the setting",
			"parameter " STR_FMT " is obsolete: it has no effect",
			STR_ARG(s->name));
	else
		conf_issue(issues, false, s->file, s->line, s->name,
			"see postconf(5) whether the mail system can do without it",
			"parameter " STR_FMT " is not supported yet: it has no effect",
			STR_ARG(s->name));
}

void
conf_warn_unhonoured(const struct conf *c, struct conf_issues *issues)
{
	const struct conf_setting *s;

	for (size_t at = 0; (s = conf_next_setting(c, &at));)
		if (s->param)
			warn_unhonoured(s, issues);
}

void
conf_warn_deprecated(const struct conf *c, struct conf_issues *issues)
{
	const struct conf_setting *s;

	for (size_t at = 0; (s = conf_next_setting(c, &at));) {
		const char *instead = s->param ? s->param->successor : NULL;
		bool removed = s->param && s->param->type == PT_REMOVED;
		struct buf advice CLEANUP(buf_free) = BUF_INIT;

		if (!instead)
			continue;
		if (instead[0])
			buf_printf(&advice, "specify \"%s\"", instead);
		else
			buf_addz(&advice, "do not specify");
		conf_issue(issues, false, s->file, s->line, s->name, buf_cstr(&advice),
			removed ? "support for parameter \"" STR_FMT
				  "\" has been removed; instead, " STR_FMT
				: "support for parameter \"" STR_FMT
				  "\" will be removed; instead, " STR_FMT,
			STR_ARG(s->name), STR_ARG(buf_str(&advice)));
	}
}

void
master_conf_warn(
	const struct master_conf *m, const char *directory, struct conf_issues *issues)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	struct str path = arena_printf(scratch, "%s/master.cf", directory);

	for (size_t i = 0; i < m->services.n; i++) {
		const struct service_line *line = &m->services.items[i];

		for (size_t k = 0; k < line->overrides.n; k++) {
			struct conf_setting s = { .file = path, .line = line->line };

			s.text = line->overrides.items[k];
			str_split(&s.text, '=', &s.name);
			s.param = conf_param(s.name);
			if (s.param)
				warn_unhonoured(&s, issues);
		}
	}
}
