/* Any bytes as content: however they are cut into reads, the result is the same, and only
 * CRLF . CRLF ends it. */
#include "data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The end of data by its definition: the first CRLF . CRLF, the DATA command's own CRLF
 * counting as the first. */
static ssize_t
end_by_definition(struct str in)
{
	ssize_t at;

	if (str_starts(in, STR(".\r\n")))
		return 3;
	at = str_find(in, STR("\r\n.\r\n"));
	return at < 0 ? -1 : at + 5;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of(data, size);
	struct buf whole CLEANUP(buf_free) = BUF_INIT, parts CLEANUP(buf_free) = BUF_INIT;
	struct data_scan a, b;
	ssize_t end = end_by_definition(in);
	size_t used, at = 0;

	data_scan_init(&a, false, DATA_END_STRICT, true);
	used = data_scan(&a, in, &whole);
	ensure(a.ended == (end >= 0));
	ensure(used == (end >= 0 ? (size_t)end : size));
	ensure(whole.len <= size + 2);
	data_scan_init(&b, false, DATA_END_STRICT, true);
	while (at < size && !b.ended) {
		size_t n = 1 + (data[at] & 7);

		at += data_scan(&b, str_sub(in, at, n), &parts);
	}
	ensure(at == used && str_eq(buf_str(&whole), buf_str(&parts)) &&
		a.size == b.size);
	return 0;
}
