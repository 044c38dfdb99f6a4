/* level.c -- levels such as 3.6: major, minor and patch, each but the first optional. */
#include "conf.h"
#include "expand.h"

enum { PART_BITS = 10, PART_MOST = (1 << PART_BITS) - 1 };

int
level_parse(struct str text, int64_t *out)
{
	int64_t level = 0;
	int parts = 0;

	if (text.len == 0 || text.data[text.len - 1] == '.')
		return -1;
	for (struct str part; str_split(&text, '.', &part); parts++) {
		uint64_t n;

		if (parts == 3 || str_to_u64(part, &n) < 0 || n > PART_MOST)
			return -1;
		level = level << PART_BITS | (int64_t)n;
	}
	for (; parts < 3; parts++)
		level <<= PART_BITS;
	*out = level;
	return 0;
}

bool
conf_level_at_least(const struct conf *c, const char *level)
{
	int64_t is, least;

	ensure(level_parse(str_c(level), &least) == 0);
	return level_parse(conf_value(c, "compatibility_level"), &is) == 0 && is >= least;
}
