/* dmarc_record.c -- a policy record (RFC 9989 section 4.7). See dmarc.h. */
#include "dmarc.h"
#include "tags.h"

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

struct given {
	bool p, sp, np, rua;
	bool mistake; /* one of the first three is no policy */
};

static bool
take_policy(struct given *given, struct str value, enum dmarc_policy *out)
{
	bool is_one = get_policy(value, out);

	given->mistake |= !is_one;
	return is_one;
}

static void
take_tag(struct dmarc_record *r, struct given *given, struct str name, struct str value)
{
	if (str_case_is(name, "p"))
		given->p = take_policy(given, value, &r->p);
	else if (str_case_is(name, "sp"))
		given->sp = take_policy(given, value, &r->sp);
	else if (str_case_is(name, "np"))
		given->np = take_policy(given, value, &r->np);
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
	if (!tag_next(&text, &name, &value) || !str_case_is(name, "v") ||
		!str_is(value, "DMARC1"))
		return -1;
	while (tag_next(&text, &name, &value))
		take_tag(out, &given, name, value);
	/* Section 4.10.1: who wants reports gets them, and nothing else is done. */
	if ((!given.p || given.mistake) && !given.rua)
		return -1;
	if (given.mistake)
		out->p = out->sp = out->np = DMARC_POLICY_NONE;
	if (!given.sp)
		out->sp = out->p;
	if (!given.np)
		out->np = out->sp;
	return 0;
}
