/* Any journal of anvil_quota_map; also its lines as "key=value", without checksums. */
#include "cache_journal.h"
#include "quotas.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look(const struct quota_account *a, void *arg)
{
	struct str name = str_from(a->name, (size_t)str_chr(a->name, ':') + 1);
	bool is_login = str_starts(a->name, STR("login:"));
	struct quota_request ask = {
		.about = is_login ? QUOTA_LOGIN : QUOTA_DOMAIN,
		.name = name,
		.kind = QUOTA_BYTES,
		.amount = 1,
		.hour = 1,
	};

	ensure(name.len > 0 && a->n_spans == QUOTA_PERIODS);
	ensure(quotas_ask(&ask, *(const int64_t *)arg).over ==
		(a->spans[QUOTA_HOUR].bytes > 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size), line, key;
	int64_t now = 1000000;
	size_t bad = 0;

	ensure(cache_journal_each(rest, quotas_take, &bad) <= size);
	while (str_split(&rest, '\n', &line))
		if (str_split(&line, '=', &key))
			(void)quotas_take(key, line);
	quotas_taken();
	quotas_each(now, look, &now);
	ensure(quotas_forget(INT64_MAX / 2) == 0);
	return 0;
}
