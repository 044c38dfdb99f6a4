/* packet_fuzz.c -- any bytes as a DNS response, any type asked for. */
#include "resolver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct dns_reply out;

	if (size >= 2) {
		packet_read(str_of(data + 2, size - 2), get_u16(data), arena, &out);
		for (size_t i = 0; i < out.n_records; i++)
			ensure(out.records[i].data.len <= size * 4);
	}
	arena_free(arena);
	return 0;
}
