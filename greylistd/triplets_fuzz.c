/* Any journal of a table, and what is asked then: the bytes are those of the file, and of
 * each entry taken from it the key is asked for as well. */
#include "cache_journal.h"
#include "triplets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1000000

static const struct triplets_rules rules = {
	.delay = 300, .retry = 7200, .expire = 86400, .allow_after = 2, .most = 50
};

static void
count(struct str key, struct str value, void *arg)
{
	ensure(key.len > 0 && value.len > 0);
	++*(size_t *)arg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size), line, key;
	size_t bad = 0, n = 0;

	ensure(cache_journal_each(rest, triplets_take, &bad) <= size);
	while (str_split(&rest, '\n', &line)) /* the same without checksums */
		if (str_split(&line, '=', &key))
			(void)triplets_take(key, line);
	triplets_taken();
	triplets_each(count, &n);
	ensure(n == triplets_count());
	rest = str_of(data, size);
	for (int64_t now = NOW; str_split(&rest, '\n', &line); now++) {
		struct triplet t = { .network = line, .sender = line, .recipient = line };

		ensure(line.len == 0 ||
			triplets_ask(&t, &rules, now).wait <= rules.delay);
	}
	triplets_clean(&rules, INT64_MAX / 2 + rules.expire + 1);
	ensure(triplets_count() == 0);
	return 0;
}
