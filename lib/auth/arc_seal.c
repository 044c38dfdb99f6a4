/* arc_seal.c -- a set of our own (RFC 8617 section 5.1). See arc.h. */
#include "arc.h"

/* Section 4.1.1: arc-info = instance ";" authres-payload. */
void
arc_results_write(unsigned instance, struct str results, struct buf *out)
{
	buf_printf(out, "ARC-Authentication-Results: i=%u; ", instance);
	buf_add(out, str_trim(results));
	buf_addc(out, '\n');
}

int
arc_seal_begin(const struct arc_seal_plan *plan, const struct arc_sets *sets,
	struct buf *field, unsigned char hash[DKIM_HASH])
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct arc_sets all = *sets;
	size_t begin = field->len, seal_at[ARC_SETS_MOST + 1];

	buf_printf(field,
		"ARC-Seal: i=%u; a=%s; cv=%s; t=%lld;\n\td=" STR_FMT "; s=" STR_FMT
		";\n\tb=",
		all.n, dkim_algorithm_name(plan->algorithm), arc_result_name(plan->cv),
		(long long)plan->at, STR_ARG(plan->domain), STR_ARG(plan->selector));
	all.fields[all.n][ARC_SEAL] = str_from(buf_str(field), begin);
	arc_sets_canon(&all, &text, seal_at);
	return digest_of(DIGEST_SHA256, str_sub(buf_str(&text), 0, text.len - 2), hash);
}
