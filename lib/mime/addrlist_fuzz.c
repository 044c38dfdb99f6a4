/* addrlist_fuzz.c -- header bodies from strangers. */
#include "addrlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct addr_list l = { 0 };

	addr_list_parse(str_of(data, size), a, &l);
	for (size_t i = 0, end = 0; i < l.list.n; i++) {
		ensure(l.list.items[i].at >= end);
		end = l.list.items[i].at + l.list.items[i].len;
		ensure(end <= size);
	}
	addr_list_free(&l);
	arena_free(a);
	return 0;
}
