/* dmarc_record.c -- a policy record (RFC 9989 section 4.7). See dmarc.h. */
#include "dmarc.h"

static bool
get_policy(struct str value, enum dmarc_policy *out)
{
	for (unsigned i = DMARC_POLICY_NONE; i <= DMARC_REJECT; i++)
		if (str_case_is(value, dmarc_policy_name((enum dmarc_policy)i))) {
			*out = (enum dmarc_policy)i;
			return true;
		}
	return false;
}

/* "name = value" off the front of the list. False at its end; a piece that is no tag
 * comes without a name. */
static bool
next_tag(struct str *rest, struct str *name, struct str *value)
{
	struct str tag;
	ssize_t equals;

	if (rest->len == 0)
		return false;
	(void)str_split(rest, ';', &tag);
	equals = str_chr(tag, '=');
	*name = equals < 0 ? STR_NONE : str_trim(str_sub(tag, 0, (size_t)equals));
	*value = equals < 0 ? STR_NONE : str_trim(str_from(tag, (size_t)equals + 1));
	return true;
}

struct given {
	bool p, sp, np, rua;
};

static void
take_tag(struct dmarc_record *r, struct given *given, struct str name, struct str value)
{
	if (str_case_is(name, "p"))
		given->p = get_policy(value, &r->p);
	else if (str_case_is(name, "sp"))
		given->sp = get_policy(value, &r->sp);
	else if (str_case_is(name, "np"))
		given->np = get_policy(value, &r->np);
	else if (str_case_is(name, "adkim"))
		r->strict_dkim = str_case_is(value, "s");
	else if (str_case_is(name, "aspf"))
		r->strict_spf = str_case_is(value, "s");
	else if (str_case_is(name, "psd"))
		r->psd = str_case_is(value, "y")   ? DMARC_PSD_YES
			 : str_case_is(value, "n") ? DMARC_PSD_NO
						   : DMARC_PSD_UNKNOWN;
	else if (str_case_is(name, "t"))
		r->is_test = str_case_is(value, "y");
	else if (str_case_is(name, "rua"))
		given->rua = str_chr(value, ':') > 0;
}

int
dmarc_record_get(struct str text, struct dmarc_record *out)
{
	struct given given = { .p = false };
	struct str name, value;

	*out = (struct dmarc_record){ .p = DMARC_POLICY_NONE };
	if (!next_tag(&text, &name, &value) || !str_case_is(name, "v") ||
		!str_is(value, "DMARC1"))
		return -1;
	while (next_tag(&text, &name, &value))
		take_tag(out, &given, name, value);
	if (!given.p && !given.rua)
		return -1;
	if (!given.sp)
		out->sp = out->p;
	if (!given.np)
		out->np = out->sp;
	return 0;
}
