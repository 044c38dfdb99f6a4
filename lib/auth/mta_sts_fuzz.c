/* mta_sts_fuzz.c -- records and policies of MTA-STS as strangers publish them. */
#include "mta_sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str text = str_of(data, size), id;
	struct mta_sts policy;
	struct why why;

	if (mta_sts_id(text, &id))
		ensure(id.len > 0 && id.len <= 32);
	if (mta_sts_parse(text, arena, &policy, &why) != ACCEPT)
		return 0;
	ensure(policy.mode == MTA_STS_NONE || policy.mx.n > 0);
	for (size_t i = 0; i < policy.mx.n; i++)
		ensure(mta_sts_matches(policy.mx, policy.mx.items[i]));
	return 0;
}
