/* judge.c -- what the administrator makes of an outcome: delivery status filters, and
 * soft_bounce. */
#include "agent.h"
#include "dict.h"
#include "log.h"
#include <stdio.h>

static struct {
	const char *parameter; /* NULL: this program has none */
	struct maps *maps;
} filter;

void
agent_filter(const char *parameter, struct str value)
{
	filter.parameter = parameter;
	filter.maps = maps_open(parameter, value, 0, service_conf());
}

/* "5.1.1 text" of a table instead of what was found. Success stays success, and a failure
 * one, whatever the table says. */
static bool
replace(struct judgement *j, struct str value)
{
	struct str code;

	if (!str_token(&value, " \t", &code) || !why_code_is_valid(code) ||
		(code.data[0] == '2') != (j->verdict == ACCEPT))
		return false;
	snprintf(j->code, sizeof(j->code), STR_FMT, STR_ARG(code));
	value = str_trim(value);
	if (value.len > 0)
		j->text = value;
	if (j->verdict != ACCEPT)
		j->verdict = code.data[0] == '5' ? PERMFAIL : TEMPFAIL;
	return true;
}

/* A table that fails, or makes no sense, changes nothing. */
static void
apply_filter(const struct delivery *d, struct judgement *j)
{
	struct str value, key;
	struct why why;

	if (!filter.maps || maps_empty(filter.maps))
		return;
	key = arena_printf(d->arena, "%s " STR_FMT, j->code, STR_ARG(j->text));
	switch (maps_find(filter.maps, key, d->arena, &value, &why)) {
	case DICT_NOTFOUND:
		return;
	case DICT_ERROR:
		log_warn("%s: %s", filter.parameter, why.text);
		return;
	case DICT_FOUND:
		if (!replace(j, value))
			log_warn("%s: bad status code: " STR_FMT, filter.parameter,
				STR_ARG(value));
	}
}

struct judgement
delivery_judge(
	const struct delivery *d, enum verdict verdict, const char *code, struct str text)
{
	struct judgement j = { .verdict = verdict, .text = text };

	snprintf(j.code, sizeof(j.code), "%s", code);
	apply_filter(d, &j);
	j.softened = j.verdict == PERMFAIL && d->conf->p.soft_bounce && !d->ask.probe;
	if (j.softened) {
		j.verdict = TEMPFAIL;
		j.code[0] = '4';
	}
	return j;
}
