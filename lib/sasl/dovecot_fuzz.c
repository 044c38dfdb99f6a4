/* dovecot_fuzz.c -- whatever an auth server says: what is taken from it is fit for a
 * reply, a header and a log line. */
#include "dovecot_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_text(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str rest = str_of(data, size), line;

	while (str_split(&rest, '\n', &line)) {
		struct buf back CLEANUP(buf_free) = BUF_INIT;
		struct dovecot_line got;

		if (!dovecot_line_read(line, arena, &got))
			continue;
		ensure(is_text(got.user) && is_text(got.reason));
		ensure(sasl_is_base64(got.challenge));
		ensure(got.word != DOVECOT_MECH ||
			(got.mechanism.name.len > 0 &&
				str_chr(got.mechanism.name, ' ') < 0));
		/* A value never becomes a parameter or a line of its own. */
		dovecot_add_escaped(&back, line);
		ensure(str_chr(buf_str(&back), '\t') < 0);
		ensure(str_chr(buf_str(&back), '\n') < 0);
	}
	return 0;
}
