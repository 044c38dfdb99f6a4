/* dkim_sign_fuzz.c -- any message gets a field whose lines are short, and pieces make no
 * difference. The first byte says where they part. */
#include "dkim_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
sign(struct str text, size_t cut, struct buf *field, unsigned char hash[DKIM_HASH])
{
	static struct str names[] = { STR_INIT("Subject"), STR_INIT("A"), STR_INIT("B") };
	const struct dkim_plan plan = { .domain = STR("example.org"),
		.selector = STR("s"),
		.header = cut % 2 ? DKIM_SIMPLE : DKIM_RELAXED,
		.body = cut % 3 ? DKIM_SIMPLE : DKIM_RELAXED,
		.fields = { names, COUNT(names) },
		.at = 1 };
	struct dkim_content *c = dkim_content_new(true, true);
	struct why why;
	int got;

	ensure(c);
	for (size_t at = 0; at < text.len; at += cut + 1)
		dkim_content_add(c, str_sub(text, at, cut + 1));
	ensure(dkim_content_end(c) == 0);
	got = dkim_sign_begin(&plan, c, field, hash, &why);
	dkim_content_free(c);
	return got;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one CLEANUP(buf_free) = BUF_INIT, two CLEANUP(buf_free) = BUF_INIT;
	unsigned char hash[2][DKIM_HASH];
	struct str text = str_from(str_of(data, size), 1), rest, line;
	size_t cut = size > 0 ? data[0] : 0;
	int got = sign(text, cut, &one, hash[0]);

	/* The same forms, and other pieces. */
	ensure(sign(text, cut + 600, &two, hash[1]) == got);
	if (got < 0)
		return 0;
	ensure(str_eq(buf_str(&one), buf_str(&two)) &&
		memcmp(hash[0], hash[1], DKIM_HASH) == 0);
	rest = buf_str(&one);
	while (str_split(&rest, '\n', &line))
		ensure(line.len <= 76);
	return 0;
}
