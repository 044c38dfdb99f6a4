/* stamps.c -- see stamps.h. */
#include "stamps.h"

bool
stamps_read(struct str value, struct stamps *out)
{
	struct str item;
	size_t n = 0;

	for (size_t i = 0; i < TESTS; i++)
		out->until[i] = STAMP_DISABLED;
	while (n < TESTS && str_split(&value, ';', &item)) {
		uint64_t until;

		if (str_to_u64(item, &until) < 0 || until > INT64_MAX / 2)
			return false;
		out->until[n++] = (int64_t)until;
	}
	return n > 0;
}

void
stamps_write(const struct stamps *s, struct buf *out)
{
	for (size_t i = 0; i < TESTS; i++)
		buf_printf(out, "%s%lld", i ? ";" : "", (long long)s->until[i]);
}

unsigned
stamps_due(const struct stamps *s, unsigned enabled, int64_t now)
{
	unsigned due = 0;

	for (unsigned i = 0; i < TESTS; i++)
		if (enabled & TEST_BIT(i) && now > s->until[i])
			due |= TEST_BIT(i);
	return due;
}

bool
stamps_are_new(const struct stamps *s)
{
	for (size_t i = 0; i < TESTS; i++)
		if (s->until[i] == STAMP_NEW)
			return true;
	return false;
}

void
stamps_disable(struct stamps *s, unsigned enabled)
{
	for (unsigned i = 0; i < TESTS; i++)
		if (!(enabled & TEST_BIT(i)) && s->until[i] == STAMP_NEW)
			s->until[i] = STAMP_DISABLED;
}
