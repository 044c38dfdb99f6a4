/* downgrade_fuzz.c -- messages made 7-bit; the first byte says how the input is cut. What
 * comes out does not depend on that. */
#include "downgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(struct str all, size_t step, struct buf *out)
{
	struct downgrade d;

	downgrade_begin(&d, 5, 20);
	for (; all.len > 0; all = str_from(all, step))
		downgrade_add(&d, str_sub(all, 0, step), out);
	downgrade_end(&d, out);
	downgrade_free(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole CLEANUP(buf_free) = BUF_INIT;
	struct buf pieces CLEANUP(buf_free) = BUF_INIT;
	struct str all = str_of(data, size);

	if (size < 2)
		return 0;
	run(str_from(all, 1), size, &whole);
	run(str_from(all, 1), (size_t)data[0] + 1, &pieces);
	ensure(str_eq(buf_str(&whole), buf_str(&pieces)));
	return 0;
}
