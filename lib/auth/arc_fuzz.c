/* arc_fuzz.c -- behind the first line, which is what the DNS says of any key, a message.
 */
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
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct arc *a = arc_new(&dns, 1024, DEADLINE_NEVER);
	struct arc_verdict v;

	(void)str_split(&rest, '\n', &record);
	arc_add(a, str_sub(rest, 0, rest.len / 2));
	arc_add(a, str_from(rest, rest.len / 2));
	arc_end(a, STR("box.example"), arena, &v);
	ensure(v.n <= ARC_SETS_MOST);
	ensure((v.result == ARC_NONE || v.result == ARC_PASS) == (v.problem.len == 0));
	results_arc(&v, &out);
	for (size_t i = 0; i < out.len; i++)
		ensure(ascii_is_print(out.data[i]));
	(void)results_pass_dmarc(rest, STR("box.example"));
	arc_free(a);
	return 0;
}
