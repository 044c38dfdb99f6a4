/* fields_fuzz.c -- header sections; the first byte says how the input is cut. */
#include "fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fields f = { .limit = 1024 };
	struct str all = str_of(data, size);
	size_t step = size > 0 ? (size_t)data[0] + 1 : 1;
	struct field field;

	while (all.len > 0 && !f.ended) {
		struct str in = str_sub(all, 0, step);

		all = str_from(all, step);
		while (fields_next(&f, &in, &field) == FIELDS_FIELD)
			ensure(field.text.len <= f.limit + 1 && field.name.len > 0);
	}
	while (fields_finish(&f, &field) == FIELDS_FIELD)
		;
	fields_free(&f);
	return 0;
}
