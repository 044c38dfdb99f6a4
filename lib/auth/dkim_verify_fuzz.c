/* dkim_verify_fuzz.c -- behind the first line, which is what the DNS says of any key, a
 * message; the library, and what is around it. */
#include "results.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum dns_status
ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	(void)name, (void)until;
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
	struct dkim_rules rules = { .signatures = 5, .key_bits = 1024 };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct dkim_verdict *verdicts;
	struct dkim_verifier *v;
	struct why why;
	size_t n;

	(void)str_split(&rest, '\n', &record);
	v = dkim_verify_new(&dns, &rules, DEADLINE_NEVER, &why);
	if (!v)
		return 0;
	dkim_verify_add(v, str_sub(rest, 0, rest.len / 2));
	dkim_verify_add(v, str_from(rest, rest.len / 2));
	dkim_verify_end(v, arena, &verdicts, &n);
	ensure(n <= rules.signatures);
	for (size_t i = 0; i < n; i++) {
		buf_clear(&out);
		results_dkim(&verdicts[i], &out);
		for (size_t j = 0; j < out.len; j++)
			ensure(ascii_is_print(out.data[j]));
	}
	dkim_verify_free(v);
	results_who(rest, &out);
	return 0;
}
