/* items_fuzz.c -- any bytes as an alias value and as a .forward file: an address is never
 * empty, a file name begins with a slash. */
#include "local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str text = str_of(data, size);
	struct items items = { 0 };

	items_parse(text, a, &items);
	items_parse_file(text, a, &items);
	for (size_t i = 0; i < items.list.n; i++) {
		const struct item *item = &items.list.items[i];

		ensure(item->kind != ITEM_ADDRESS || item->text.len > 0);
		ensure(item->kind != ITEM_FILE || item->text.data[0] == '/');
	}
	items_free(&items);
	return 0;
}
