/* dmarc_fuzz.c -- the first line is what the DNS says of any name, the rest a message. */
#include "dmarc.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned asked;

static enum dns_status
ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	(void)name, (void)until;
	asked++;
	*said = (struct dns_reply){ .status = DNS_OK, .n_records = 1 };
	said->records = arena_alloc(arena, sizeof(*said->records));
	said->records[0] = (struct dns_rr){ .type = type, .data = *(struct str *)arg };
	return DNS_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size), record = STR_NONE;
	struct auth_dns dns = { .ask = ask, .arg = &record };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct authors *a = authors_new(4096);
	struct dmarc_identity id = { .passes = true };
	struct dmarc_question q = {
		.identities = &id, .n = 1, .dns = &dns, .until = DEADLINE_NEVER
	};
	struct dmarc_verdict v;

	(void)str_split(&rest, '\n', &record);
	id.domain = str_sub(record, 0, 60);
	authors_add(a, rest);
	q.authors = authors_end(a, arena);
	dmarc_check(&q, arena, &v);
	/* A walk has at most eight steps; there are two for each of 16 authors, and a
	 * look whether its name exists. */
	ensure(asked <= 16 * 17);
	asked = 0;
	ensure(v.policy <= v.published);
	ensure(v.result == DMARC_FAIL || q.authors.has_more ||
		v.policy == DMARC_POLICY_NONE);
	ensure(v.result != DMARC_PASS || q.authors.is_plain);
	authors_free(a);
	return 0;
}
