/* reply_fuzz.c -- any lines as a server's reply. */
#include "smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size), line;
	struct reply r = { 0 };
	int more = 1;

	while (more == 1 && str_split(&rest, '\n', &line))
		more = reply_add(&r, line);
	ensure(r.n_lines <= REPLY_LINES_MOST && r.text.len < REPLY_TEXT_MOST);
	for (size_t i = 0; i < r.n_lines; i++) {
		struct str text = reply_line(&r, i);

		ensure(text.len <= r.text.len);
	}
	buf_free(&r.text);
	return 0;
}
