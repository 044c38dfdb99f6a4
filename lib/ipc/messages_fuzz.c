/* messages_fuzz.c -- arbitrary bytes at every decoder; what one accepts must survive
 * being encoded and decoded again. */
#include "all_messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try(const struct message_kind *k, struct str bytes)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf once CLEANUP(buf_free) = BUF_INIT, twice CLEANUP(buf_free) = BUF_INIT;
	void *v = arena_alloc(arena, k->size);

	if (k->get(bytes, v, arena) < 0)
		return;
	k->put(&once, v);
	ensure(k->get(buf_str(&once), v, arena) == 0);
	k->put(&twice, v);
	ensure(str_eq(buf_str(&once), buf_str(&twice)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t kinds = 0, pick;
	const struct message_kind *k;

	for (k = message_kinds; k; k = k->next)
		kinds++;
	if (size == 0)
		return 0;
	pick = data[0] % kinds;
	for (k = message_kinds; pick > 0; pick--)
		k = k->next;
	try(k, str_of(data + 1, size - 1));
	return 0;
}
