/* Any file of suspensions, asked for what its own lines name. */
#include "suspension.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct suspensions *all = arena_alloc(arena, sizeof(*all));

	suspensions_parse(str_of(data, size), arena, all);
	for (size_t i = 0; i < all->n; i++)
		ensure(suspension_of(
			all, all->items[i].transport, all->items[i].nexthop));
	arena_free(arena);
	return 0;
}
