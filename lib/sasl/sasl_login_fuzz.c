/* sasl_login_fuzz.c -- whatever a server says in an exchange: the first byte chooses the
 * mechanism, each line is a challenge. Responses stay small, and who did not prove itself
 * is not believed. */
#include "sasl_login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sasl_login_secret secret = { .user = STR("joe"),
		.password = STR("secret"),
		.nonce = STR("abc"),
		.host = STR("mx.example") };
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct str rest = str_of(data, size), line;
	const struct sasl_login_mechanism *m;
	struct sasl_login *l;
	struct why why;
	bool has_initial;

	if (size == 0 || !(m = sasl_login_mechanism(data[0] % 8)))
		return 0;
	/* A count that keeps OpenSSL busy finds nothing. */
	if (str_find(rest, STR("i=")) >= 0 &&
		rest.len - (size_t)str_find(rest, STR("i=")) > 6)
		return 0;
	l = sasl_login_begin(m, &secret, &out, &has_initial, &why);
	ensure(l);
	rest = str_from(rest, 1);
	for (int steps = 0; str_split(&rest, '\n', &line); steps++) {
		buf_clear(&out);
		if (!sasl_login_step(l, line, &out, &why))
			break;
		ensure(steps < 3 && out.len < 2 * SASL_CHALLENGE_MOST);
	}
	if (m->m.properties & SASL_MUTUAL)
		ensure(!sasl_login_finish(l, &why));
	sasl_login_end(l);
	return 0;
}
