/* Any bytes as a path: what is accepted must be made of what was sent, and must be
 * accepted again. */
#include "address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str path = str_of(data, size), rest = path;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();

	for (unsigned how = 0; how < 4; how++) {
		struct address a = { STR_NONE, STR_NONE };
		struct why why;

		if (address_parse(path, how, &a, &why) != ACCEPT)
			continue;
		ensure(a.local.len == 0 ||
			(a.local.data >= path.data &&
				a.local.data + a.local.len <= path.data + path.len));
		ensure(a.domain.len == 0 ||
			(a.domain.data >= path.data &&
				a.domain.data + a.domain.len <= path.data + path.len));
		ensure(str_chr(a.local, '\n') < 0 && str_chr(a.domain, '\n') < 0);
		ensure(str_chr(a.local, 0) < 0 && str_chr(a.domain, 0) < 0);
		(void)address_internal(&a, arena);
	}
	while (rest.len) {
		size_t before = rest.len;

		(void)address_path_token(&rest);
		if (rest.len == before)
			break;
	}
	return 0;
}
