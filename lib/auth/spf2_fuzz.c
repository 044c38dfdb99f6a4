/* spf2_fuzz.c -- lines: what the DNS answers libspf2, one record after the other, of
 * whatever type is asked for. Behind a NUL the sender, behind another one the HELO name.
 */
#include "spf.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str answers;

static enum dns_status
fuzz_ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	struct str line;

	(void)arg, (void)until;
	for (size_t i = 0; i < name.len; i++)
		ensure(ascii_is_print(name.data[i]) && name.data[i] != ' ');
	*said = (struct dns_reply){ .status = DNS_OK };
	if (!str_split(&answers, '\n', &line) || line.len == 0)
		return DNS_NXDOMAIN;
	if (line.data[0] == '!')
		return DNS_TEMPFAIL;
	said->records = arena_alloc(arena, 12 * sizeof(*said->records));
	do
		said->records[said->n_records++] =
			(struct dns_rr){ .type = type, .data = line };
	while (said->n_records < 12 && str_starts(answers, STR("&")) &&
		str_split(&answers, '\n', &line));
	return DNS_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct auth_dns dns = { .ask = fuzz_ask };
	struct spf_question q = { .until = DEADLINE_NEVER, .dns = &dns };
	struct str rest = str_of(data, size);
	struct spf_verdict verdict;

	if (!str_split(&rest, 0, &answers))
		return 0;
	if (!str_split(&rest, 0, &q.sender))
		q.sender = STR("u.v+w@fuzz.example");
	q.helo = rest.len ? rest : STR("host.fuzz.example");
	if (net_addr_parse(
		    size % 2 ? STR("192.0.2.1") : STR("2001:db8::1"), 0, &q.client) < 0)
		return 0;
	spf2_check(&q, arena, &verdict);
	(void)spf_result_name(verdict.result);
	for (size_t i = 0; i < verdict.problem.len; i++)
		ensure(ascii_is_print(verdict.problem.data[i]));
	ensure(verdict.problem.len <= 500);
	return 0;
}
