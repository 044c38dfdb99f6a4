/* dkim_canon_fuzz.c -- any body and any field, in both forms: pieces make no difference,
 * and what is canonical stays as it is. The first byte says where the pieces part. */
#include "dkim_canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take(void *arg, struct str bytes)
{
	buf_add(arg, bytes);
}

static void
body_of(enum dkim_canon how, struct str in, size_t cut, struct buf *out)
{
	struct dkim_body b;

	dkim_body_begin(&b, how, take, out);
	dkim_body_add(&b, str_sub(in, 0, cut));
	dkim_body_add(&b, str_from(in, MIN(cut, in.len)));
	dkim_body_end(&b);
}

static void
try_body(enum dkim_canon how, struct str in, size_t cut)
{
	struct buf whole CLEANUP(buf_free) = BUF_INIT;
	struct buf pieces CLEANUP(buf_free) = BUF_INIT;
	struct buf again CLEANUP(buf_free) = BUF_INIT;
	struct str text;

	body_of(how, in, in.len, &whole);
	body_of(how, in, cut, &pieces);
	ensure(str_eq(buf_str(&whole), buf_str(&pieces)));
	body_of(how, buf_str(&whole), cut, &again);
	ensure(str_eq(buf_str(&whole), buf_str(&again)));
	text = buf_str(&whole);
	ensure(text.len == 0 ? how == DKIM_RELAXED : str_ends(text, STR("\r\n")));
	if (how == DKIM_RELAXED)
		ensure(str_find(text, STR("  ")) < 0 && str_find(text, STR(" \r\n")) < 0);
}

static void
try_field(enum dkim_canon how, struct str in)
{
	struct buf once CLEANUP(buf_free) = BUF_INIT, again CLEANUP(buf_free) = BUF_INIT;

	dkim_canon_field(how, in, &once);
	dkim_canon_field(how, buf_str(&once), &again);
	ensure(str_eq(buf_str(&once), buf_str(&again)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of(data, size);

	if (size == 0)
		return 0;
	for (int how = DKIM_SIMPLE; how <= DKIM_RELAXED; how++) {
		try_body((enum dkim_canon)how, str_from(in, 1), data[0]);
		try_field((enum dkim_canon)how, str_from(in, 1));
	}
	return 0;
}
