/* aliases_fuzz.c -- lines of aliases(5) and table sources. What postalias writes must
 * mean the same targets as what it read. */
#include "aliases.h"
#include "source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TARGETS = 1000 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct str line = str_of(data, size), key, value;
	struct alias_targets read = { 0 }, again = { 0 };
	struct why why;

	source_map_entry(line, &key, &value, &why);
	if (source_alias_entry(line, a, &key, &value, &why) == SOURCE_ENTRY &&
		alias_targets(value, TARGETS, a, &read, &why) == 0) {
		struct str wrapped = arena_printf(a, "k: " STR_FMT, STR_ARG(value));

		ensure(source_alias_entry(wrapped, a, &key, &value, &why) ==
			SOURCE_ENTRY);
		ensure(alias_targets(value, TARGETS, a, &again, &why) == 0);
		ensure(read.n == again.n);
		for (size_t i = 0; i < read.n; i++)
			ensure(read.items[i].kind == again.items[i].kind &&
				str_eq(read.items[i].text, again.items[i].text));
	}
	arena_free(a);
	return 0;
}
