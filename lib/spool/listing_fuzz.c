/* Any bytes from public/showq. */
#include "listing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct str rest = str_of(data, size);
	struct listing l;

	if (listing_get_greeting(&rest) == LISTING_MESSAGE)
		while (listing_get(&rest, arena, &l) == LISTING_MESSAGE)
			;
	arena_free(arena);
	return 0;
}
