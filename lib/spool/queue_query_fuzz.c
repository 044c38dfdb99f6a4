/* Any query, asked of one message. */
#include "queue_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct listing_rcpt rcpt = { STR("a"), STR("a@example.org"),
		STR("connect to mx.example.org: Connection timed out"), false };
	struct listing l = { .queue = STR("deferred"),
		.time = 1700000000,
		.size = 20000,
		.sender = STR("news@shop.example"),
		.rcpts = &rcpt,
		.n_rcpts = 1 };
	struct arena *arena = arena_new();
	struct why why = { 0 };
	struct queue_query q;

	if (queue_query_parse(
		    str_of(data, size), STR("MAILER-DAEMON"), arena, &q, &why) == 0)
		(void)queue_query_matches(&q, &l, 1700010000);
	arena_free(arena);
	return 0;
}
