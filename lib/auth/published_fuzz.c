/* published_fuzz.c -- lines are what the DNS says, in turn; the first one is our record.
 */
#include "published.h"
#include <arpa/nameser.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum dns_status
ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	struct str *rest = arg, line = STR("");

	(void)name, (void)until;
	*said = (struct dns_reply){ .status = DNS_OK, .n_records = 1 };
	said->records = arena_alloc(arena, sizeof(*said->records));
	(void)str_split(rest, '\n', &line);
	if (type == ns_t_a)
		line = STR("192.0.2.1");
	else if (type == ns_t_aaaa)
		line = STR("2001:db8::1");
	said->records[0] = (struct dns_rr){ .type = type, .data = line };
	return DNS_OK;
}

static void
tell(void *arg, enum published_level level, const char *subject, struct str text)
{
	(void)arg, (void)level, (void)subject;
	for (size_t i = 0; i < text.len; i++)
		ensure(ascii_is_print(text.data[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str rest = str_of(data, size);
	struct auth_dns dns = { .ask = ask, .arg = &rest };
	struct published_key key = { .selector = STR("s"), .domain = STR("d.test") };
	struct published_question q = { .domain = STR("d.test"),
		.keys = &key,
		.n_keys = 1,
		.dns = &dns,
		.until = DEADLINE_NEVER,
		.tell = tell };

	(void)str_split(&rest, '\n', &key.record);
	published_check(&q, arena);
	return 0;
}
