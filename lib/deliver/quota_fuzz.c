/* quota_fuzz.c -- any bytes as limits and as a file maildirsize of a user: no sum is
 * less than nothing or more than its type holds. */
#include "quota.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of(data, size), rest = text, line;
	struct quota limits = { 0 };
	struct quota_usage u;

	if (!str_split(&rest, '\n', &line) || quota_parse(line, &limits) < 0)
		return 0;
	if (quota_file_parse(text, &limits, &u)) {
		ensure(u.lines > 0 && u.bytes <= INT64_MAX && u.count <= INT64_MAX);
		ensure(!quota_fits(&limits, &u, 1) || quota_is_kept(&limits, &u));
	}
	return 0;
}
