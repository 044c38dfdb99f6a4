/* srs_fuzz.c -- an address comes in as a sender, and as a recipient. */
#include "srs.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t now = (int64_t)20000 * 86400;
	struct srs s = { .domain = STR("srs.test"), .days = 21 };
	struct buf out CLEANUP(buf_free) = BUF_INIT, back CLEANUP(buf_free) = BUF_INIT;
	struct str input = str_of(data, size);
	struct why why;

	(void)srs_secrets_read(input, &s, &why);
	s.secrets[0] = STR("0123456789abcdef");
	s.n_secrets = 1;
	ensure(srs_reverse(&s, input, now, &back, &why) < 0 ||
		str_find(input, STR("@")) >= 0);
	buf_clear(&back);
	if (srs_forward(&s, input, now, &out, &why) < 0)
		return 0;
	ensure(out.len <= 254);
	ensure(srs_reverse(&s, buf_str(&out), now, &back, &why) == 0);
	/* A sender of our own is never made into another one. */
	buf_clear(&back);
	ensure(srs_forward(&s, buf_str(&out), now, &back, &why) < 0);
	return 0;
}
